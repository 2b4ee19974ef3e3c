from __future__ import annotations

import re

import pytest

from gateway.jobs.signing import sign, verified

SECRET = b"s" * 32
PATH = "/v1/batch/batch_1/output"
NOW = 1_800_000_000


def test_what_was_signed_is_good_until_it_runs_out() -> None:
    query = sign(PATH, NOW + 60, SECRET)
    assert re.fullmatch(r"expires=1800000060&signature=[A-Za-z0-9_-]{43}", query)
    assert verified(PATH, query, NOW, SECRET)
    assert verified(PATH, query, NOW + 59, SECRET)
    assert not verified(PATH, query, NOW + 60, SECRET)


def test_nothing_of_it_can_be_another() -> None:
    query = sign(PATH, NOW + 60, SECRET)
    expires, _, signature = query.partition("&")
    assert not verified(PATH.replace("1", "2"), query, NOW, SECRET)
    assert not verified(PATH, query, NOW, b"t" * 32)
    assert not verified(PATH, f"expires={NOW + 61}&{signature}", NOW, SECRET)
    assert not verified(PATH, f"{expires}&{sign(PATH, NOW + 61, SECRET).partition('&')[2]}", NOW, SECRET)
    for position in range(len("expires=1800000060&signature="), len(query)):
        other = "A" if query[position] != "A" else "B"
        assert not verified(PATH, query[:position] + other + query[position + 1 :], NOW, SECRET)


@pytest.mark.parametrize(
    "change",
    [
        lambda query: query[:0],
        lambda query: query + "&a=b",
        lambda query: query + "=",
        lambda query: query + "\n",
        lambda query: query.replace("expires=", "expires=0"),
        lambda query: query.replace("expires=1", "expires=%31"),
        lambda query: query.replace("expires=1800000060", "expires=\uff118\u06600000060"),
        lambda query: "&".join(reversed(query.split("&"))),
        lambda query: query.partition("&")[0],
    ],
)
def test_another_spelling_is_no_signature(change: object) -> None:
    assert callable(change)
    assert not verified(PATH, change(sign(PATH, NOW + 60, SECRET)), NOW, SECRET)


def test_a_long_secret_counts() -> None:
    assert verified(PATH, sign(PATH, NOW + 1, b"x" * 100), NOW, b"x" * 100)

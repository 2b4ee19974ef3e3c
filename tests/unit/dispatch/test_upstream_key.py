from __future__ import annotations

import pytest

from gateway.dispatch.upstream_key import (
    LONGEST_BACKOFF_SECONDS,
    LONGEST_PAUSE_SECONDS,
    SHORTEST_PAUSE_SECONDS,
    Turn,
    UpstreamKey,
    name_of,
)
from gateway.vocabulary import Limits, Meter, Scope

SECRET = b"s" * 32
METER = Meter("u:n", Scope.UPSTREAM, Limits(None, None, None))


def turn(key: UpstreamKey, started: float) -> Turn:
    return Turn(key, None, started)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [(7.0, 7.0), (0.0, SHORTEST_PAUSE_SECONDS), (1e9, LONGEST_PAUSE_SECONDS)],
)
def test_what_the_upstream_asks_for_is_kept_within_reason(retry_after: float, seconds: float) -> None:
    key = UpstreamKey("k", "n", METER)
    assert key.refuse(turn(key, 0.0), 1.0, retry_after, 0.5) == (seconds, True)
    assert key.paused_until == 1.0 + seconds


def test_pauses_without_a_word_double_up_to_a_bound_and_spread() -> None:
    key = UpstreamKey("k", "n", METER)
    pauses = [key.refuse(turn(key, float(at)), float(at), None, 0.5)[0] for at in range(0, 2_000, 100)]
    assert pauses[:3] == pytest.approx([0.2, 0.4, 0.8])
    assert pauses[-1] == LONGEST_BACKOFF_SECONDS
    spread = [UpstreamKey("k", "n", METER).refuse(turn(key, 0.0), 0.0, None, chance)[0] for chance in (0.0, 0.99)]
    assert spread == pytest.approx([0.1, 0.298])


def test_calls_that_were_under_way_only_make_a_pause_longer() -> None:
    key = UpstreamKey("k", "n", METER)
    key.refuse(turn(key, 0.0), 1.0, 5.0, 0.5)
    assert key.refuse(turn(key, 0.5), 1.5, None, 0.5) == (0.0, False)
    assert key.refuse(turn(key, 0.5), 1.5, 2.0, 0.5) == (2.0, False)
    assert key.paused_until == 6.0
    assert key.refuse(turn(key, 0.5), 1.5, 9.0, 0.5) == (9.0, False)
    assert (key.paused_until, key.refusals) == (10.5, 1)


def test_only_an_answer_to_a_later_call_ends_the_growth() -> None:
    key = UpstreamKey("k", "n", METER)
    key.refuse(turn(key, 0.0), 1.0, None, 0.5)
    key.answer(turn(key, 0.5))
    assert key.refusals == 1
    key.answer(turn(key, 2.0))
    assert key.refusals == 0


def test_a_name_tells_nothing_and_is_one_for_a_key_at_a_host() -> None:
    name = name_of("https://api.jina.ai", "jina_x", SECRET)
    assert "jina_x" not in name
    assert name == name_of("https://api.jina.ai/v1", "jina_x", SECRET)
    others = [
        name_of("https://eu.jina.ai", "jina_x", SECRET),
        name_of("https://api.jina.ai", "jina_y", SECRET),
        name_of("https://api.jina.ai", None, SECRET),
        name_of("https://api.jina.ai", "jina_x", b"t" * 32),
        name_of("unix:/run/a.sock", "jina_x", SECRET),
        name_of("unix:/run/b.sock", "jina_x", SECRET),
    ]
    assert len({name, *others}) == 7

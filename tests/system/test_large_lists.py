"""No list keeps the event loop from others for long, new or stored.

What is measured is CPU time of the loop's own thread, the longest turn of each call (see fakes.loop_turns), so a busy
machine does not make it longer, except by cold caches; a turn that is once too long may be that, so each kind of call
has some tries with other texts, and the best one counts. Work that is not cut into turns is too long each time.
"""

from __future__ import annotations

import random
import string
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import loop_turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNT, CHARACTERS = 2_048, 500
MILLISECONDS = 10.0
TRIES = 4
EMBEDDINGS = {"model": "jina-embeddings-v3"}
RERANK = {"path": "/v1/rerank", "model": "jina-reranker-v2-base-multilingual", "query": "what is it about?"}

_chance = random.Random(7)  # noqa: S311 - texts, not secrets


def texts(count: int = COUNT, characters: int = CHARACTERS) -> list[str]:
    """New ones. Words of prose would be counted faster."""
    letters = _chance.choices(string.ascii_lowercase + " ", k=count * characters)
    return ["".join(letters[at : at + characters]) for at in range(0, len(letters), characters)]


@contextmanager
def worker(store_url: str) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """Asks a worker, warmed up."""
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as folder:
        argv = [sys.executable, "-P", str(Path(loop_turns.__file__)), store_url, folder]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        into, out = process.stdin, process.stdout

        def ask(case: dict[str, Any]) -> dict[str, Any]:
            into.write(orjson.dumps(case) + b"\n")
            into.flush()
            answer: dict[str, Any] = orjson.loads(out.readline())
            return answer

        try:
            for path in (EMBEDDINGS | {"input": texts(300)}, RERANK | {"documents": texts(300)}):
                ask(path)
                ask(path)
            yield ask
        finally:
            into.close()
            out.close()
            process.wait(20)


@pytest.fixture(scope="module")
def asked(valkey_url: str) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    with worker(valkey_url) as ask:
        yield ask


CASES = {
    "embeddings as floats": (EMBEDDINGS, "input"),
    "embeddings as base64": (EMBEDDINGS | {"embedding_type": "base64"}, "input"),
    "rerank": (RERANK, "documents"),
}


@pytest.mark.parametrize("case", CASES)
def test_no_turn_of_the_event_loop_takes_longer_than_10_ms(
    asked: Callable[[dict[str, Any]], dict[str, Any]], case: str
) -> None:
    fields, name = CASES[case]
    new: list[float] = []
    again: list[float] = []
    for _ in range(TRIES):
        body = fields | {name: texts()}
        for seen, hits in ((new, 0), (again, COUNT)):
            answer = asked(body)
            assert (answer["hits"], answer["misses"]) == (hits, COUNT - hits)
            seen.append(answer["milliseconds"])
        if min(new) <= MILLISECONDS and min(again) <= MILLISECONDS:
            break
    assert (min(new) <= MILLISECONDS, min(again) <= MILLISECONDS) == (True, True), (new, again)


def test_nor_does_one_of_shorter_texts_that_comes_again_and_again(
    asked: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    seen: list[float] = []
    for _ in range(TRIES):
        body = EMBEDDINGS | {"input": texts(characters=100), "embedding_type": "base64"}
        answers = [asked(body) for _ in range(6)][1:]
        assert [answer["hits"] for answer in answers] == [COUNT] * 5
        assert len({answer["bytes"] for answer in answers}) == 1
        seen.append(max(answer["milliseconds"] for answer in answers))
        if min(seen) <= MILLISECONDS:
            break
    assert min(seen) <= MILLISECONDS, seen


def test_nor_does_one_that_the_store_alone_holds(asked: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    held = []
    for _ in range(TRIES):
        first, *others = [EMBEDDINGS | {"input": texts()} for _ in range(3)]
        for body in (first, *others):
            asked(body)
        answer = asked(first)
        assert answer["hits"] == COUNT
        held.append(answer["milliseconds"])
        if min(held) <= MILLISECONDS:
            break
    assert min(held) <= MILLISECONDS, held

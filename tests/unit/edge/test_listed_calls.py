"""Long lists on the fast path beside the pipeline's way: the same, large or not, however often they come again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.gateway import configured
from fakes.talk import Talk, comparable, figures, taken, talking, until, wire

from gateway.config.schema import LimitSettings, Tier
from gateway.edge import flow
from gateway.endpoints import embeddings_parts, embeddings_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.schema import Config

NAMED = "X-Request-Id: x\r\n"
ANEW = "Cache-Control: no-cache\r\n"
COUNT = 200
TEXTS = [f"text {number}" for number in range(COUNT)]
MODEL = {"model": "jina-embeddings-v3"}
LIST = MODEL | {"input": TEXTS}
TIERS = {"small": Tier(rpm=1_000, tpm=10**9, concurrency=4)}

BODIES = [
    LIST,
    LIST | {"input": TEXTS + TEXTS[:7]},
    LIST | {"embedding_type": "base64"},
    LIST | {"dimensions": 32, "embedding_type": ["float", "binary"]},
    LIST | {"user": "somebody"},
    LIST | {"input": [*TEXTS, "new"]},
    LIST | {"input": [*TEXTS[:70], "x" * 300_000]},
    LIST | {"input": TEXTS[:40]},
    LIST | {"input": TEXTS[:1] * COUNT},
    LIST | {"input": [f"text {number % 1_100}" for number in range(1_200)], "dimensions": 32},
]


either = pytest.mark.usefixtures("large")


@pytest.fixture(params=[False, True], ids=["small", "large"])
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Lists of more than a hundred are sent in pieces of ten vectors or so."""
    if request.param:
        in_pieces(monkeypatch)
    return bool(request.param)


def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings_reply, "LARGE_BYTES", 100 * 4 * 1_024)
    monkeypatch.setattr(embeddings_parts, "PIECE_BYTES", 100_000)


@pytest.mark.parametrize("count_cached", [True, False])
async def test_both_ways_give_the_same(*, count_cached: bool, large: bool) -> None:
    config = configured(tiers=TIERS, limits=LimitSettings(count_cached_tokens=count_cached))
    seen = [await conversation(config, fast=fast) for fast in (True, False)]
    assert seen[0][0] == seen[1][0]
    assert seen[0] == seen[1]
    framed = [dict(fields).get("Transfer-Encoding") for _, fields, _ in seen[0][0]]
    assert (framed.count("chunked") > 7) is large  # the longest is, each time


async def conversation(config: Config, *, fast: bool) -> tuple[Any, ...]:
    """All bodies several times, at last from the store alone, and once anew."""
    async with talking(config, fast=fast) as (served, line):
        told = []
        for turn in range(7):
            told += [comparable(await line.ask(wire(body, more=NAMED))) for body in BODIES]
            if turn == 3:
                served.gateway.layer._held.clear()
                served.gateway.layer.weight = 0
            if turn == 5:
                told.append(comparable(await line.ask(wire(LIST, more=NAMED + ANEW))))
        await served.gateway.books.flush()
        rows = sorted(await served.gateway.books.rows("search", 0, 2**31))
        addresses = sorted(key.address for key in served.gateway.trace.keys)
        used = served.gateway.used("search")
        return told, rows, used, figures(served), addresses, served.gateway.upstream.inputs


async def known(served: Any, line: Talk, body: Any = LIST) -> bytes:
    """Ask until the list is remembered and ready; its answer."""
    for _ in range(5):
        status, _, answer = await line.ask(wire(body))
        assert status == 200
    assert ready(served)
    return answer


def ready(served: Any) -> int:
    """Replies that are held as parts."""
    return len(served.listed._lists._ready)


@either
async def test_a_list_that_comes_again_takes_no_look_at_its_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(configured(tiers=TIERS)) as (served, line):
        answer = await known(served, line)
        before = taken(served)
        monkeypatch.setattr(served.gateway.layer, "at_hand", lambda *_: 1 / 0)
        for _ in range(3):
            assert (await line.ask(wire(LIST)))[2] == answer
        assert taken(served) == before


def make_room(layer: Any) -> None:
    layer._limit = layer.weight // 2
    layer._evict()


LOSSES: dict[str, Callable[[Any], object]] = {
    "an answer": lambda layer: layer._drop(next(iter(layer._held))),
    "room": make_room,
}


@either
@pytest.mark.parametrize("loss", LOSSES)
async def test_nothing_is_held_of_what_the_layer_has_let_go(loss: str) -> None:
    async with talking(configured(tiers=TIERS)) as (served, line):
        answer = await known(served, line)
        LOSSES[loss](served.gateway.layer)
        assert not ready(served)
        for _ in range(4):
            assert (await line.ask(wire(LIST)))[2] == answer
            assert served.gateway.layer.weight <= served.gateway.layer.limit_bytes


@either
async def test_an_answer_that_was_asked_for_anew_is_given_at_once() -> None:
    async with talking(configured(tiers=TIERS)) as (served, line):
        old = await known(served, line)
        held = served.gateway.layer._held
        (key,) = [entry for entry in served.gateway.trace.keys if entry.proof == next(iter(held))][:1]
        answer = held[key.proof].answer
        other = type(answer)(answer.shape, answer.payload[:-4] + b"\0\0\0\x3f", answer.width, answer.tokens + 1)
        await served.gateway.layer.put([(key, other)])
        new = (await line.ask(wire(LIST)))[2]
        assert new != old
        assert orjson.loads(new)["usage"]["total_tokens"] == orjson.loads(old)["usage"]["total_tokens"] + 1


@either
async def test_parts_are_let_go_when_metrics_are_reported_and_when_their_time_is_over() -> None:
    async with talking(configured(tiers=TIERS)) as (served, line):
        answer = await known(served, line)
        await served.scrape("")
        assert not ready(served)
        assert (await line.ask(wire(LIST)))[2] == answer
        assert ready(served)
        served.gateway.clock.now += 60.0
        before = taken(served)
        assert (await line.ask(wire(LIST)))[2] == answer
        assert taken(served) == before + 1


async def test_a_list_is_limited_as_often_as_it_is_asked() -> None:
    tiers = {"small": Tier(rpm=7, tpm=10**9, concurrency=4)}
    async with talking(configured(tiers=tiers)) as (served, line):
        await known(served, line)
        statuses = [(await line.ask(wire(LIST)))[0] for _ in range(3)]
        assert statuses == [200, 200, 429]


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lists are large, and each piece so long that few fill what the system takes."""
    in_pieces(monkeypatch)
    made: list[int] = []
    piece = flow.Flow._send

    def counted(self: Any) -> None:
        made.append(1)
        piece(self)

    monkeypatch.setattr(flow.Flow, "_send", counted)
    return made


WIDE = [f"wide {number}" for number in range(1_200)]
MUCH = MODEL | {"input": WIDE}


async def unread(served: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Any]:
    """A client that has asked for a large answer and takes nothing of it, and its connection."""
    before = set(served.http.connections)
    reader, writer = await asyncio.open_connection(*served.address, limit=1_024)
    writer.transport.pause_reading()  # type: ignore[attr-defined] # the transport of a socket can
    writer.write(wire(MUCH, more=NAMED))
    await until(lambda: any(one._paused for one in set(served.http.connections) - before))
    (connection,) = set(served.http.connections) - before
    return reader, writer, connection


async def much(served: Any, line: Talk) -> bytes:
    served.gateway.layer._limit = 60_000_000
    return await known(served, line, MUCH)


async def test_no_more_is_made_than_a_client_takes_and_nothing_for_who_is_gone(pieces: list[int]) -> None:
    async with talking(configured(tiers=TIERS)) as (served, line):
        await much(served, line)
        pieces.clear()
        await line.ask(wire(MUCH))
        whole = len(pieces)
        pieces.clear()
        _, writer, connection = await unread(served)
        assert len(pieces) < whole
        assert not connection._idle()
        before = len(pieces)
        await asyncio.sleep(0.02)
        assert len(pieces) == before
        writer.transport.abort()
        await until(lambda: connection not in served.http.connections)
        assert connection.ongoing is None
        assert (await line.ask(wire(MUCH)))[0] == 200


async def test_a_client_that_reads_again_gets_the_rest_though_the_layer_has_let_go_of_it(pieces: list[int]) -> None:
    async with talking(configured(tiers=TIERS)) as (served, line):
        answer = await much(served, line)
        assert pieces
        reader, writer, connection = await unread(served)
        for held in served.gateway.layer._held.values():
            held.answer.fragments.clear()
        served.listed._lists.release()
        assert not ready(served)
        writer.write(wire(MODEL | {"input": "behind"}, more=NAMED))
        writer.transport.resume_reading()  # type: ignore[attr-defined] # as above
        client = Talk(reader, writer)
        first, second = await client.answer(), await client.answer()
        assert first[2] == answer
        assert (first[1]["Cache-Status"], second[0]) == ("gateway; hit", 200)
        assert connection.ongoing is None
        assert (await client.ask(wire(MUCH)))[2] == answer
        writer.close()


async def test_who_takes_nothing_is_cut_off(pieces: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(configured(tiers=TIERS)) as (served, line):
        await much(served, line)
        assert pieces
        monkeypatch.setattr(flow, "STALLED_SECONDS", 0.05)
        _, writer, connection = await unread(served)
        await until(lambda: connection not in served.http.connections)
        writer.close()


async def test_a_gateway_that_leaves_ends_the_answer_and_says_so_in_the_next(pieces: list[int]) -> None:
    async with talking(configured(tiers=TIERS)) as (served, line):
        answer = await much(served, line)
        assert pieces
        reader, writer, _ = await unread(served)
        served.edge.closing = served.fast.closing = True
        writer.write(wire(MODEL | {"input": "behind"}, more=NAMED))
        writer.transport.resume_reading()  # type: ignore[attr-defined] # as above
        client = Talk(reader, writer)
        first, second = await client.answer(), await client.answer()
        assert first[2] == answer
        assert "Connection" not in first[1]
        assert second[1]["Connection"] == "close"
        writer.close()


async def test_a_list_that_begins_with_a_new_text_is_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(configured(tiers=TIERS)) as (served, line):
        await known(served, line)
        asked: list[int] = []
        at_hand = served.gateway.layer.at_hand

        def counted(keys: Any, now: float) -> Any:
            asked.append(len(keys))
            return at_hand(keys, now)

        monkeypatch.setattr(served.gateway.layer, "at_hand", counted)
        for first in (TEXTS[1], "new"):
            assert (await line.ask(wire(LIST | {"input": [first, *TEXTS]})))[0] == 200
        assert asked == [COUNT + 1]

"""Calls of a known form beside the pipeline's way: the same, whatever the store and the backend do meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from fakes.gateway import configured
from fakes.jina_upstream import Fault
from fakes.moment import wide
from fakes.talk import ONE, Talk, comparable, figures, generous, talking, until, wire

from gateway.config.schema import LimitSettings, Server, Tenant, Tier
from gateway.edge.deadlines import is_quiet
from gateway.fast.form import Forms
from gateway.fast.formed import FormedCalls

NAMED = "X-Request-Id: x\r\n"
LONG = [f"text {number}" for number in range(70)]

BODIES = [
    ONE,
    ONE | {"input": ["a", "b", "a", "b", "c"]},
    ONE | {"input": ["c"], "user": "somebody"},
    ONE | {"input": ["c"], "embedding_type": "base64"},
    ONE | {"input": ["c", "d"], "dimensions": 32, "embedding_type": ["float", "binary"]},
    ONE | {"input": ["raw"], "normalized": False},
    ONE | {"input": ["raw", "new"]},  # derived from the one before, and a new one
    ONE | {"input": ["bad", "good"]},
    ONE | {"input": ["bad"]},
    ONE | {"input": ["c"], "dimensions": True},
    ONE | {"input": ["c"], "dimensions": 1},
    ONE | {"input": ["c"], "dimensions": 1.0},
    ONE | {"input": ["c"], "dimension": 1},
    ONE | {"input": []},
    ONE | {"input": ["a", 1]},
    ONE | {"input": ["a", {"text": "b"}]},
    ONE | {"input": ["a", "b"], "late_chunking": True},
    {"model": "jina-colbert-v2", "input": ["a"]},
    {"model": "nobody", "input": ["a"]},
    ONE | {"input": LONG},
    ONE | {"input": LONG},
    b'{"model":"jina-embeddings-v3","input":["\\ud800"]}',
    b'{"model":"jina-embeddings-v3","input":["a"],"input":["b"]}',
]


@pytest.mark.parametrize("count_cached", [True, False])
@pytest.mark.parametrize("validation", ["strict", "lenient"])
async def test_both_ways_give_the_same(*, count_cached: bool, validation: Any) -> None:
    limits = LimitSettings(count_cached_tokens=count_cached)
    config = generous(limits=limits, server=Server(validation=validation))
    seen = [await conversation(config, fast=fast) for fast in (True, False)]
    assert seen[0][0] == seen[1][0]
    assert seen[0] == seen[1]


async def conversation(config: Any, *, fast: bool) -> tuple[Any, ...]:
    """All bodies twice, then again from the store alone: answers, ledger, limits, metrics, and what was asked."""
    async with talking(config, fast=fast) as (served, line):
        served.gateway.upstream.bad.add("bad")
        told = []
        for turn in range(3):
            told += [comparable(await line.ask(wire(body, more=NAMED))) for body in BODIES]
            if turn == 1:
                served.gateway.layer._held.clear()
                served.gateway.layer.weight = 0
        await served.gateway.books.flush()
        rows = sorted(await served.gateway.books.rows("search", 0, 2**31))
        addresses = sorted(key.address for key in served.gateway.trace.keys)
        used = served.gateway.used("search")
        return told, rows, used, figures(served), addresses, served.gateway.upstream.inputs


async def test_one_that_cannot_be_told_keeps_no_other_of_its_turn_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(wide()) as (served, line):
        bodies = [wire(ONE | {"input": text}) for text in ("x", "y")]
        for body in bodies:
            await line.ask(body)
        served.gateway.layer._held.clear()
        own, fetched = FormedCalls._fetched, list[Any]()

        def keep(*call: Any) -> None:
            fetched.append(call)

        def broken(*_: object) -> Any:
            raise RuntimeError

        monkeypatch.setattr(FormedCalls, "_fetched", keep)
        other = Talk(*await asyncio.open_connection(*served.address))
        for number, (talk, body) in enumerate(zip((line, other), bodies, strict=True), 1):
            await talk.send(body)
            await until(lambda number=number: len(fetched) == number)  # type: ignore[misc]
        (formed, first, _, found), second = fetched
        own(formed, first, broken, found)  # type: ignore[arg-type]
        own(*second)
        assert (await other.answer())[0] == 200
        assert served.gateway.used("search").slots == 0
        other.writer.close()


@pytest.mark.parametrize("exist", [True, False])
async def test_what_texts_may_follow_from_is_looked_up_where_there_is_such(*, exist: bool) -> None:
    async with talking(generous()) as (served, line):
        await line.ask(wire(ONE))
        await line.ask(wire(ONE | {"input": "raw", "normalized": False}))
        assert served.gateway.sources.exist
        served.gateway.sources.exist = exist
        served.gateway.upstream.calls.clear()
        status, fields, _ = await line.ask(wire(ONE | {"input": "raw"}))
        assert (status, fields["X-Gateway-Cache-Hits"]) == (200, str(int(exist)))
        assert len(served.gateway.upstream.calls) == (not exist)


FAULTS = [Fault(500, b"{}"), Fault(401, b"{}"), Fault(200, b"nonsense")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.status)
@pytest.mark.parametrize("shape", ["superset", "contract"])
async def test_a_backend_that_fails_is_told_of_in_the_same_words(fault: Fault, shape: Any) -> None:
    told = []
    for fast in (True, False):
        config = generous(server=Server(errors=shape))
        async with talking(config, fast=fast) as (served, line):
            await line.ask(wire(ONE))
            served.gateway.upstream.faults.extend([fault] * 12)
            asked = asyncio.ensure_future(line.ask(wire(ONE | {"input": "b"}, more=NAMED)))
            while not asked.done():  # it is tried again, after a while
                await served.gateway.clock.advance(0.1)
            told.append(comparable(asked.result()))
            assert served.gateway.used("search").slots == 0
            told.append(figures(served))
    assert told[:2] == told[2:]
    assert told[0][0] in {500, 502, 503, 504}


async def test_a_store_that_fails_leaves_the_backend_to_be_asked() -> None:
    async with talking(generous()) as (served, line):
        await line.ask(wire(ONE))
        served.gateway.answers.down = True
        status, fields, _ = await line.ask(wire(ONE | {"input": "b"}))
        assert (status, fields["X-Gateway-Cache-Misses"]) == (200, "1")


async def waiting(served: Any, line: Talk) -> asyncio.Event:
    """A call that the backend has not answered yet."""
    await line.ask(wire(ONE))
    gate = asyncio.Event()
    served.gateway.upstream.faults.append(Fault(gate=gate))
    await line.send(wire(ONE | {"input": "slow"}))
    await until(lambda: not served.gateway.upstream.faults)
    return gate


async def test_a_call_that_waits_keeps_its_slot_and_others_are_held_to_the_limit() -> None:
    tiers = {"small": Tier(rpm=1_000, tpm=100_000, concurrency=1)}
    async with talking(configured(tiers=tiers)) as (served, line):
        gate = await waiting(served, line)
        assert served.gateway.used("search").slots == 1
        reader, writer = await asyncio.open_connection(*served.address)
        writer.write(wire(ONE))
        assert b" 429 " in await reader.readuntil(b"\r\n\r\n")
        gate.set()
        assert (await line.answer())[0] == 200
        assert served.gateway.used("search").slots == 0
        writer.close()


async def test_what_was_asked_is_kept_though_its_client_is_gone() -> None:
    async with talking(generous()) as (served, line):
        gate = await waiting(served, line)
        line.writer.transport.abort()
        await until(lambda: not served.http.connections)
        gate.set()
        await until(lambda: served.gateway.used("search").slots == 0)
        assert served.gateway.counted[-1].misses == 1
        assert len(served.gateway.answers.entries) == 2


async def test_a_call_whose_client_is_gone_before_a_backend_was_asked_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(generous()) as (served, line):
        await line.ask(wire(ONE))
        fetched: list[Any] = []
        monkeypatch.setattr(served.gateway.layer, "fetch", lambda keys, done: fetched.append((keys, done)))
        await line.send(wire(ONE | {"input": "slow"}))
        await until(lambda: bool(fetched))
        line.writer.transport.abort()
        await until(lambda: not served.http.connections)
        ((keys, done),) = fetched
        done([None] * len(keys))
        await until(lambda: served.gateway.used("search").slots == 0)
        assert served.gateway.upstream.inputs == ["a"]
        assert 'code="SERVICE_UNAVAILABLE",endpoint="embeddings",status="499"' in metrics(served)


async def test_a_call_whose_client_goes_while_it_waits_for_another_one_ends() -> None:
    async with talking(generous()) as (served, line):
        gate = await waiting(served, line)
        reader, writer = await asyncio.open_connection(*served.address)
        writer.write(wire(ONE | {"input": "slow"}))  # in flight already, so nothing is sent for it
        await until(lambda: served.gateway.used("search").slots == 2)
        writer.transport.abort()
        await until(lambda: served.gateway.used("search").slots == 1)
        gate.set()
        assert (await line.answer())[0] == 200
        await reader.read()


def metrics(served: Any) -> str:
    text: str = served.metrics.render()[0].decode()
    return text


async def test_what_comes_again_and_again_is_remembered_whole() -> None:
    async with talking(generous()) as (served, line):
        weights = []
        for _ in range(4):
            await line.ask(wire(ONE))
            weights.append(served.fast_path.repeats.weight > 0)
        assert weights == [False, False, True, True]


async def test_requests_behind_one_that_waits_are_held_back_and_answered_in_order() -> None:
    async with talking(generous()) as (served, line):
        gate = await waiting(served, line)
        (connection,) = served.http.connections
        many = wire(ONE) * 20 + wire(ONE | {"input": "x" * 70_000}) + wire(ONE)
        await line.send(many)
        await until(lambda: not connection.transport.is_reading())
        assert not is_quiet(connection)
        gate.set()
        answers = [await line.answer() for _ in range(23)]
        assert [status for status, _, _ in answers] == [200] * 23
        assert "miss" in answers[0][1]["Cache-Status"]
        assert "miss" in answers[21][1]["Cache-Status"]
        assert answers[22][1]["Cache-Status"] == "gateway; hit"
        assert (await line.ask(wire(ONE)))[0] == 200


async def test_a_gateway_that_leaves_answers_what_waits_and_closes() -> None:
    async with talking(generous()) as (served, line):
        gate = await waiting(served, line)
        served.edge.closing = served.fast.closing = True
        gate.set()
        status, fields, _ = await line.answer()
        assert (status, fields["Connection"]) == (200, "close")
        assert await line.reader.read() == b""


async def test_a_call_ends_at_its_tenants_deadline() -> None:
    tenants = {"search": Tenant(tier="small", keys=("jina_" + "a" * 60,), timeout=0.2)}
    async with talking(generous(tenants=tenants)) as (served, line):
        await waiting(served, line)
        served.gateway.clock.now += 0.3
        status, _, body = await line.answer()
        assert (status, orjson.loads(body)["code"]) == (504, "SERVICE_TIMEOUT")


async def test_a_defect_is_told_as_one_and_takes_nothing_along(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking(generous()) as (served, line):
        await line.ask(wire(ONE))

        def broken(*_: Any) -> None:
            raise RuntimeError

        monkeypatch.setattr(FormedCalls, "_hit", broken)
        served.gateway.layer._held.clear()
        status, _, body = await line.ask(wire(ONE))
        assert (status, orjson.loads(body)["code"]) == (500, "INTERNAL_ERROR")
        monkeypatch.setattr(served.gateway.pipeline.in_flight, "board", broken)
        assert (await line.ask(wire(ONE | {"input": "b"})))[0] == 500
        monkeypatch.setattr(served.gateway.pipeline, "_dispatch", broken)
        assert (await line.ask(wire(ONE | {"input": ["b", "c"]})))[0] == 500
        assert served.gateway.used("search").slots == 0


async def test_forms_that_never_come_again_are_not_made_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    get = Forms.get

    def counted(self: Any, kind: bytes, *rest: Any) -> Any:
        made.append(kind)
        return get(self, kind, *rest)

    monkeypatch.setattr(Forms, "get", counted)
    async with talking(generous()) as (_served, line):
        for number in range(1, 60):
            await line.ask(wire(ONE | {"dimensions": number}))
        assert len(made) < 20

"""A chunk that is answered in halves, of which not all come, on a virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from fakes.batches import LEASE, Engine

from gateway.config.jobs import Jobs
from gateway.errors import insufficient_balance, token_limit_exceeded
from gateway.ports.jobs import State, Tally
from gateway.vocabulary import Lane

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from gateway.vocabulary import Call

ONE_CHUNK = Jobs(chunk=8, slots=1, lease_seconds=LEASE)


def in_pairs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, before: Callable[[list[str]], Awaitable[None]]
) -> list[Call]:
    """Calls of more than two inputs are too large; `before` sees the inputs of the others, which are answered then."""
    serve, seen = engine.gateway.pipeline.serve, []

    async def limited(endpoint: Any, call: Call, facts: Any) -> Any:
        seen.append(call)
        inputs = orjson.loads(await call.read())["input"]
        if len(inputs) > 2:
            raise token_limit_exceeded(0, 2, 60.0, len(inputs))
        await before(inputs)
        return await serve(endpoint, call, facts)

    monkeypatch.setattr(engine.gateway.pipeline, "serve", limited)
    return seen


async def test_calls_say_whose_they_are_and_that_nobody_waits(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make(ONE_CHUNK)

    async def nothing(_: list[str]) -> None:
        pass

    calls = in_pairs(engine, monkeypatch, nothing)
    await engine.add(*"abcdef")
    engine.begin()
    await engine.pass_time(3)
    assert engine.ids("output") == list("abcdef")
    for call in calls:
        assert call.caller is not None
        assert (call.caller.tenant, call.credentials, call.client) == ("search", None, "")
        assert (call.lane, call.partial) == (Lane.BULK, True)


async def test_money_that_ends_within_a_chunk_fails_the_job_with_what_it_bought(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make(ONE_CHUNK)

    async def spent(inputs: list[str]) -> None:
        if "d" in inputs:
            raise insufficient_balance()

    in_pairs(engine, monkeypatch, spent)
    await engine.add(*"abcdefgh")
    engine.begin()
    await engine.pass_time(3)
    assert (engine.batch().state, engine.batch().error) == (State.FAILED, "Insufficient account balance")
    assert (engine.ids("output"), engine.batch().tally) == (["a", "b"], Tally(2, 0, 2))
    assert [move[1] for move in engine.watch.moves] == [State.PROCESSING, State.FAILED]


async def test_a_job_that_is_cancelled_within_a_chunk_keeps_what_was_sent(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make(ONE_CHUNK)

    async def cancelled(inputs: list[str]) -> None:
        if "c" in inputs:
            await engine.jobs.end("batch_1", State.CANCELLED)
            await engine.clock.sleep(LEASE / 3 + 1)  # a heartbeat says so

    in_pairs(engine, monkeypatch, cancelled)
    await engine.add(*"abcdefgh")
    engine.begin()
    await engine.pass_time(20)
    assert (engine.batch().state, engine.ids("output")) == (State.CANCELLED, ["a", "b", "c", "d"])
    assert engine.gateway.upstream.inputs == ["a", "b", "c", "d"]
    assert engine.batch().tally == Tally(4, 0, 4)

"""A job's life on a virtual clock: through the pipeline, past limits and failures."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from fakes.batches import LEASE, NANO, Engine
from fakes.jina_upstream import Fault, Upstream
from fakes.spans import Kept, tracing_of

from gateway.config.jobs import Jobs
from gateway.config.schema import Server, Tenant, Tier
from gateway.config.spending import Balance
from gateway.config.traces import Traces
from gateway.errors import TransportError
from gateway.jobs.chunk import KEY_GONE
from gateway.ports.jobs import State, Tally
from gateway.vocabulary import CacheScope, Lane

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


async def test_a_job_is_answered_line_by_line_in_its_order(make: Callable[..., Engine]) -> None:
    engine = make()
    await engine.add("a", "!{", "b", "c", "", "d", webhook_url="https://example.com/hook")
    engine.begin()
    await engine.pass_time(3)
    batch = engine.batch()
    assert (batch.state, batch.total, batch.chunks, batch.tally) == (State.COMPLETED, 6, 3, Tally(5, 1, 5))
    assert engine.ids("output") == ["a", "b", "c", "", "d"]
    (error,) = engine.read("errors")
    assert (error["line"], error["error"]["code"], error["error"]["request_id"]) == (2, "INPUT_INVALID", "batch_1.0")
    online, _ = await engine.gateway.ask("embeddings", json.dumps({"model": NANO, "input": ["c"]}).encode())
    vector = json.loads(online.body)["data"][0]["embedding"]
    assert engine.read("output")[2]["response"]["body"]["data"][0]["embedding"] == vector
    assert Counter(engine.gateway.upstream.inputs) == Counter(["a", "b", "c", "", "d"])
    assert [move[1] for move in engine.watch.moves] == [State.PROCESSING, State.COMPLETED]
    assert sum(tally.completed for tally in engine.watch.tallies) == 5
    assert not engine.watch.troubles


async def test_its_calls_are_the_tenants_in_the_bulk_lane(make: Callable[..., Engine]) -> None:
    engine = make()
    await engine.add("a", "b")
    engine.begin()
    await engine.pass_time(2)
    (facts,) = engine.gateway.counted
    assert (facts.endpoint, facts.tenant, facts.items, facts.paid_tokens) == ("embeddings", "search", 2, 2)
    assert {lane for _, lane, _ in engine.gateway.seen.queued} <= {Lane.BULK}
    assert engine.gateway.used("search").requests == 1
    assert [seen.request_id for seen, _ in engine.gateway.seen.requests] == ["batch_1.0"]


async def test_its_calls_are_traced_those_that_fail_too(make: Callable[..., Engine]) -> None:
    engine, kept = make(tiers={"small": Tier(rpm=1, tpm=1_000, concurrency=9)}), Kept()
    engine.watch.tracing = tracing_of(Traces(endpoint="http://collector", sample=1.0), kept, engine.clock)
    await engine.add("a", "b", "c", "d")
    engine.begin()
    await engine.pass_time(5)
    roots = [span for span in kept.spans if span.name == "batch"]
    assert {span.attributes["error.type"] for span in roots} == {"RATE_REQUEST_LIMIT_EXCEEDED"}
    ((facts, _),) = engine.gateway.seen.requests
    assert facts.trace is not None
    assert facts.trace.context.span_id not in {span.context.span_id for span in roots}, "the observer ends it"
    assert {span.name for span in kept.spans} >= {"batch", "admit"}


async def test_its_end_is_told_again_until_that_is_kept(make: Callable[..., Engine]) -> None:
    engine = make()
    engine.events.failures = 2
    order = await engine.add("a", webhook_url="https://example.com/hook")
    engine.begin()
    await engine.pass_time(20)
    ((tenant, url, event, body),) = engine.events.got
    assert (tenant, url, event) == ("search", order.webhook_url, "batch.completed")
    told = json.loads(body)
    assert (told["batch_id"], told["stats"]["completed"]) == ("batch_1", 1)
    assert told["output_url"].startswith("/v1/batch/batch_1/output?expires=")


async def test_a_rate_limit_is_waited_for(make: Callable[..., Engine]) -> None:
    engine = make(tiers={"small": Tier(rpm=1, tpm=1_000, concurrency=9)})
    await engine.add("a", "b", "c", "d", "e", "f")
    engine.begin()
    await engine.pass_time(5)
    assert engine.batch().tally == Tally(2, 0, 2)
    await engine.pass_time(200, 5)
    assert (engine.batch().state, engine.batch().tally) == (State.COMPLETED, Tally(6, 0, 6))
    assert len(engine.gateway.upstream.calls) == 3


async def test_a_chunk_that_is_too_large_for_the_limit_is_halved_and_a_line_refused(
    make: Callable[..., Engine],
) -> None:
    jobs = Jobs(chunk=4, slots=1, lease_seconds=LEASE)
    engine = make(jobs, tiers={"small": Tier(rpm=100, tpm=40, concurrency=9)})
    large = "w " * 200
    await engine.add("a " * 10, "b " * 10, "c " * 10, large)
    engine.begin()
    await engine.pass_time(400, 5)
    assert engine.batch().state is State.COMPLETED
    (error,) = engine.read("errors")
    assert (error["line"], error["error"]["code"]) == (4, "RATE_TOKEN_LIMIT_EXCEEDED")


async def test_a_spent_balance_fails_the_job_and_keeps_what_was_done(make: Callable[..., Engine]) -> None:
    tenants = {
        "search": Tenant(
            tier="small", keys=("jina_" + "a" * 60,), balance=Balance(starting_tokens=5), cache_scope=CacheScope.OFF
        )
    }
    engine = make(Jobs(chunk=1, concurrency=1, slots=1, lease_seconds=LEASE), tenants=tenants)
    await engine.add(*(f"w{at}" for at in range(30)), webhook_url="https://example.com/hook")
    engine.begin()
    await engine.pass_time(60)
    batch = engine.batch()
    assert (batch.state, batch.error) == (State.FAILED, "Insufficient account balance")
    assert 0 < batch.tally.completed < 30
    assert len(engine.read("output")) == batch.tally.completed
    assert [event for _, _, event, _ in engine.events.got] == ["batch.failed"]
    asked = len(engine.gateway.upstream.calls)
    await engine.pass_time(60)
    assert len(engine.gateway.upstream.calls) == asked


async def test_a_job_of_bad_lines_only_failed(make: Callable[..., Engine]) -> None:
    engine = make()
    await engine.add("!1", "!2", "!3")
    engine.begin()
    await engine.pass_time(3)
    assert (engine.batch().state, engine.batch().tally) == (State.FAILED, Tally(0, 3))
    assert [move[1] for move in engine.watch.moves] == [State.PROCESSING, State.FAILED]
    assert not engine.gateway.upstream.calls


async def test_a_backend_that_is_away_is_waited_for(make: Callable[..., Engine]) -> None:
    engine = make()
    engine.gateway.upstream.faults.extend(Fault(status=503) for _ in range(40))
    await engine.add("a", "b", "c")
    engine.begin()
    await engine.pass_time(30)
    assert engine.batch().state is State.PROCESSING
    engine.gateway.upstream.faults.clear()
    await engine.pass_time(200, 5)
    assert engine.batch().tally == Tally(3, 0, 3)


async def test_a_key_that_is_gone_ends_its_jobs(make: Callable[..., Engine]) -> None:
    engine = make()
    await engine.add("a", key_id="another")
    engine.begin()
    await engine.pass_time(2)
    assert (engine.batch().state, engine.batch().error) == (State.FAILED, KEY_GONE)


async def test_a_defect_takes_one_line_with_it_at_most(
    make: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make(Jobs(chunk=4, slots=1, lease_seconds=LEASE))
    serve = engine.gateway.pipeline.serve

    async def broken(endpoint: Any, call: Any, facts: Any) -> Any:
        if b"poison" in await call.read():
            raise RuntimeError("a defect")
        return await serve(endpoint, call, facts)

    monkeypatch.setattr(engine.gateway.pipeline, "serve", broken)
    await engine.add("a", "b", "poison", "c")
    engine.begin()
    await engine.pass_time(5)
    assert (engine.ids("output"), engine.ids("errors")) == (["a", "b", "c"], ["poison"])
    assert engine.read("errors")[0]["error"]["code"] == "INTERNAL_ERROR"
    assert set(engine.watch.troubles) == {"batch_1 RuntimeError"}


async def test_a_call_that_takes_too_long_is_tried_in_halves(make: Callable[..., Engine]) -> None:
    engine = make(Jobs(chunk=2, slots=1, lease_seconds=LEASE), server=Server(timeout=10))

    class Slow(Upstream):
        async def send(self, backend: str, exchange: Any, timeout_seconds: float) -> Any:
            if b"slow" in exchange.body:
                await engine.clock.sleep(timeout_seconds)
                raise TransportError("too late", timed_out=True)
            return await super().send(backend, exchange, timeout_seconds)

    slow = Slow()
    engine.gateway.upstream.send = slow.send  # type: ignore[method-assign]
    await engine.add("a", "slow")
    engine.begin()
    await engine.pass_time(200, 5)
    assert (engine.ids("output"), engine.ids("errors")) == (["a"], ["slow"])
    assert engine.read("errors")[0]["error"]["code"] in {"SERVICE_TIMEOUT", "SERVICE_UNAVAILABLE"}

"""The fast path beside the pipeline's: the same answers, limits, ledger and metrics, whatever is sent and however."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes.clock import FakeClock
from fakes.gateway import OTHER_KEY, configured
from fakes.gateway import snapshot_of as snapshot_made
from fakes.spans import Kept, tracing_of
from fakes.talk import LIST, ONE, RANK, generous, taken, talking, warm, wire

from gateway.config.schema import LimitSettings, Tenant, Tier
from gateway.config.traces import Traces
from gateway.observe.spans import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.vocabulary import Facts


CALLS = [
    wire(ONE),
    wire(LIST),
    wire(RANK, path="/v1/rerank"),
    wire(ONE, OTHER_KEY),
    wire(ONE, more="X-Request-Id: x\r\n"),
]


@pytest.mark.parametrize("count_cached", [True, False])
async def test_the_same_answers_limits_ledger_and_metrics_as_the_pipelines(*, count_cached: bool) -> None:
    config = generous(limits=LimitSettings(count_cached_tokens=count_cached))
    seen = []
    for fast in (True, False):
        async with talking(config, fast=fast) as (served, line):
            answers = [await line.ask(call) for _ in range(4) for call in CALLS]
            assert {status for status, _, _ in answers} == {200}
            told = [(sorted(changing(fields)), body) for _, fields, body in answers]
            await served.gateway.books.flush()
            rows = [await served.gateway.books.rows(tenant, 0, 2**31) for tenant in ("search", "other")]
            used = [served.gateway.used(tenant) for tenant in ("search", "other")]
            assert taken(served) == (7 if fast else 20)  # the first of each, and those that were learnt from
            addresses = [key.address for key in served.gateway.trace.keys]
            seen.append((told, rows, used, figures(served), sorted(addresses)))
    assert seen[0] == seen[1]


def changing(fields: dict[str, str]) -> list[tuple[str, str]]:
    """Headers; an id that we made and the time differ, their names do not."""
    free = {"Date"} | ({"X-Request-Id"} if fields["X-Request-Id"] != "x" else set())
    return [(name, "" if name in free else value) for name, value in fields.items()]


def figures(served: Any) -> list[str]:
    """Metrics that are no times."""
    text = served.metrics.render()[0].decode()
    lines = [line for line in text.splitlines() if "_seconds" not in line or "request_seconds_count" in line]
    return [re.sub(r"[0-9.]+e-[0-9]+$", rounded, line) for line in lines]


def rounded(match: re.Match[str]) -> str:
    """Sums of dollars differ in their last digits by the order in which they are made."""
    return f"{float(match[0]):.6g}"


async def test_a_call_that_the_sample_takes_for_a_trace_is_the_pipelines() -> None:
    async with talking(generous()) as (served, line):
        before, clock, kept = await warm(served, line), FakeClock(chance=0.5), Kept()
        tracing = tracing_of(Traces(endpoint="http://x", sample=0.6), kept, clock)
        served.observer.traces, served.observer.trace = tracing.wants, tracing.begin
        lines: list[Facts] = []
        served.observer.sampled, served.observer.line = lambda: True, lambda facts, _: lines.append(facts)
        await line.ask(wire(ONE))
        assert taken(served) == before + 1
        clock.chance = 0.7
        await line.ask(wire(ONE))
        assert taken(served) == before + 1
        assert [span.name for span in kept.spans if span.kind is Kind.SERVER] == ["POST /v1/embeddings"]
        assert [facts.trace for facts in lines] == [None], "what is learnt from a traced call has no trace of its own"


async def test_a_limit_refuses_on_the_fast_path_at_the_same_call() -> None:
    statuses = []
    for fast in (True, False):
        async with talking(configured(), fast=fast) as (_served, line):
            statuses.append([(await line.ask(wire(ONE)))[0] for _ in range(12)])
    assert statuses[0] == statuses[1] == [200] * 10 + [429] * 2


async def test_no_slot_free_is_the_pipelines_to_say() -> None:
    async with talking(generous()) as (served, line):
        before = await warm(served, line)
        lease = served.gateway.leases.of(next(iter(served.gateway.pipeline.snapshot.directory.values())).meters[0])
        held = [lease.take(0, 0, 1, 0.0) for _ in range(lease.idle[2])]
        await line.ask(wire(ONE))
        assert taken(served) == before + 1
        for entry in held:
            lease.settle(entry, 0, 0)


GONE: list[tuple[str, Callable[[Any], Awaitable[None]], int]] = []


def change(name: str, status: int = 200) -> Callable[[Callable[[Any], Awaitable[None]]], None]:
    def add(what: Callable[[Any], Awaitable[None]]) -> None:
        GONE.append((name, what, status))

    return add


@change("the entry's time is over")
async def _expire(served: Any) -> None:
    served.gateway.clock.now += 61


@change("another answer took its place")
async def _replace(served: Any) -> None:
    layer, keys = served.gateway.layer, served.gateway.trace.keys
    (found,) = await layer.get(keys[:1])
    await layer.put([(keys[0], replace(found, tokens=9))])


@change("the same configuration was read again")
async def _read_again(served: Any) -> None:
    served.gateway.pipeline.snapshot = snapshot_made(served.gateway.config)


@change("the key was revoked", 401)
async def _revoke(served: Any) -> None:
    config = generous(tenants={"other": Tenant(tier="small", keys=(OTHER_KEY,))})
    served.gateway.pipeline.snapshot = snapshot_made(config)


@change("the key has expired", 401)
async def _expired(served: Any) -> None:
    snapshot = served.gateway.pipeline.snapshot
    for caller in snapshot.directory.values():
        object.__setattr__(caller, "expires", 0)


@change("the gateway drains")
async def _drain(served: Any) -> None:
    served.edge.closing = served.fast.closing = True


@pytest.mark.parametrize(("what", "status"), [row[1:] for row in GONE], ids=[row[0] for row in GONE])
async def test_what_changed_since_goes_to_the_pipeline(what: Callable[[Any], Awaitable[None]], status: int) -> None:
    async with talking(generous()) as (served, line):
        before = await warm(served, line)
        await what(served)
        assert (await line.ask(wire(ONE)))[0] == status
        assert taken(served) == before + (status == 200)


OTHERS = [
    wire(ONE, more="Cache-Control: no-cache\r\n"),
    wire(ONE, more="X-Gateway-Cache-Salt: s\r\n"),
    wire(ONE, OTHER_KEY),
    wire(ONE | {"input": "b"}),
    wire(ONE | {"embedding_type": "base64"}),
]


@pytest.mark.parametrize("request_bytes", OTHERS, ids=range(len(OTHERS)))
async def test_a_call_that_differs_is_another_call(request_bytes: bytes) -> None:
    async with talking(generous()) as (served, line):
        before = await warm(served, line)
        assert (await line.ask(request_bytes))[0] == 200
        assert taken(served) == before + 1


async def test_a_special_call_teaches_nothing_about_an_ordinary_one() -> None:
    async with talking(generous()) as (_served, line):
        for _ in range(3):
            assert (await line.ask(wire(ONE, more="X-Gateway-Cache-Salt: s\r\n")))[0] == 200
        _, fields, _ = await line.ask(wire(ONE))
        assert fields["Cache-Status"] == "gateway; fwd=miss; stored"


async def test_what_was_answered_is_in_the_metrics_soon_by_itself() -> None:
    async with talking(generous()) as (served, line):
        await warm(served, line)
        assert any(task.get_name() == "report repeated calls" for task in asyncio.all_tasks())
        served.fast_path.report()
        assert served.metrics.request("embeddings", "200", "OK")._value.get() == 3


async def test_calls_that_are_remembered_take_no_more_than_their_part_of_the_memory() -> None:
    async with talking(generous()) as (served, line):
        repeats = served.fast_path.repeats
        limit = repeats.limit_bytes = 100_000
        for number in range(12):
            for text in (f"text {number}", f"text {number}", "text 0"):
                assert (await line.ask(wire(ONE | {"input": text})))[0] == 200
        assert 0 < repeats.weight <= limit
        assert sum(entry.weight for entry in repeats._kept.values()) == repeats.weight
        before = taken(served)
        assert before == 24
        for number, more in ((11, 0), (0, 0), (1, 1)):
            assert (await line.ask(wire(ONE | {"input": f"text {number}"})))[0] == 200
            assert taken(served) == before + more


async def test_new_limits_hold_on_the_fast_path_too() -> None:
    async with talking(generous()) as (served, line):
        await warm(served, line)
        tiers = {"small": Tier(rpm=8, tpm=100_000, concurrency=4)}
        served.gateway.pipeline.snapshot = snapshot_made(configured(tiers=tiers))
        left = [(await line.ask(wire(ONE)))[1]["X-RateLimit-Remaining-Requests"] for _ in range(3)]
        assert taken(served) == 3
        assert left == ["4", "3", "2"]

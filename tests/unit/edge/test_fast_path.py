"""The fast path beside the pipeline's: the same answers, limits, ledger and metrics, whatever is sent and however."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest.mock import Mock

import orjson
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
            assert taken(served) == (4 if fast else 20)  # what was new, and a list that shortens what is stored
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
        served.observer.records = tracing.records
        lines: list[Facts] = []
        served.observer.wanted, served.observer.line = lambda _: True, lambda facts, *_: lines.append(facts)
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


Change: TypeAlias = "Callable[[Any], Awaitable[None]]"
GONE: list[tuple[str, Change, int, int, int]] = []
"""What happens, the answer to the next call, whether the pipeline has to give it, and what it says of usage."""


def change(
    name: str, status: int = 200, more: int = 0, tokens: int = 1
) -> Callable[[Callable[[Any], Awaitable[None]]], None]:
    def add(what: Callable[[Any], Awaitable[None]]) -> None:
        GONE.append((name, what, status, more, tokens))

    return add


@change("the entry's time is over")
async def _expire(served: Any) -> None:
    served.gateway.clock.now += 61


@change("another answer took its place", tokens=9)
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


@change("the gateway drains", more=1)
async def _drain(served: Any) -> None:
    served.edge.closing = served.fast.closing = True


@pytest.mark.parametrize(("what", "status", "more", "tokens"), [row[1:] for row in GONE], ids=[row[0] for row in GONE])
async def test_what_changed_since_is_noticed(what: Change, status: int, more: int, tokens: int) -> None:
    async with talking(generous()) as (served, line):
        before = await warm(served, line)
        await what(served)
        told, _, body = await line.ask(wire(ONE))
        assert told == status
        assert taken(served) == before + more
        assert orjson.loads(body).get("usage") in (None, {"total_tokens": tokens, "prompt_tokens": tokens})


OTHERS = [
    (wire(ONE, more="Cache-Control: no-cache\r\n"), 1),
    (wire(ONE, more="X-Gateway-Cache-Salt: s\r\n"), 1),
    (wire(ONE | {"input": "b"}), 1),
    (wire(ONE, OTHER_KEY), 1),  # nothing of its limits is here yet
    (wire(ONE | {"embedding_type": "base64"}), 0),
    (wire(ONE | {"input": ["a", "a"]}), 0),
    (wire(ONE | {"input": ["a", {"image": "https://example.com/a.png"}]} | {"model": "jina-clip-v2"}), 1),
]


@pytest.mark.parametrize(("request_bytes", "more"), OTHERS, ids=range(len(OTHERS)))
async def test_a_call_that_differs_is_another_call(request_bytes: bytes, more: int) -> None:
    async with talking(generous()) as (served, line):
        before = await warm(served, line)
        assert (await line.ask(request_bytes))[0] == 200
        assert taken(served) == before + more


MISTAKES = [b"{", b"[]", b"{}", orjson.dumps(ONE | {"model": "nobody"}), orjson.dumps(ONE | {"input": 1})]


@pytest.mark.parametrize("body", MISTAKES)
async def test_a_mistake_is_named_as_ever(body: bytes) -> None:
    answers = []
    for fast in (True, False):
        async with talking(generous(), fast=fast) as (_, line):
            status, fields, content = await line.ask(wire(body, more="X-Request-Id: x\r\n"))
            answers.append((status, sorted(changing(fields)), content))
    assert answers[0] == answers[1]
    assert answers[0][0] in {400, 422}


async def test_where_nothing_is_held_few_tries_are_made_until_some_succeed_again() -> None:
    async with talking(generous()) as (served, line):
        tried: list[bool] = []
        attempts = served.fast_path._attempts
        count = attempts.tried

        def counted(*, success: bool) -> None:
            tried.append(success)
            count(success=success)

        attempts.tried = counted
        for number in range(40):
            await line.ask(wire(RANK | {"query": f"text {number}"}, path="/v1/rerank"))
        assert tried == [False] * 12
        for number in range(40):
            await line.ask(wire(RANK | {"query": f"text {number}"}, path="/v1/rerank"))
        assert tried.count(True) > 30


async def test_a_special_call_teaches_nothing_about_an_ordinary_one() -> None:
    async with talking(generous()) as (_served, line):
        for _ in range(3):
            assert (await line.ask(wire(ONE, more="X-Gateway-Cache-Salt: s\r\n")))[0] == 200
        _, fields, _ = await line.ask(wire(ONE))
        assert fields["Cache-Status"] == "gateway; fwd=miss; stored"


async def test_what_was_answered_is_in_the_metrics_soon_by_itself() -> None:
    async with talking(generous()) as (served, line):
        await warm(served, line)
        assert any(task.get_name() == "report calls" for task in asyncio.all_tasks())
        served.metrics.render()
        assert served.metrics.request("embeddings", "200", "OK")._value.get() == 3


async def test_new_limits_hold_on_the_fast_path_too() -> None:
    async with talking(generous()) as (served, line):
        await warm(served, line)
        tiers = {"small": Tier(rpm=8, tpm=100_000, concurrency=4)}
        served.gateway.pipeline.snapshot = snapshot_made(configured(tiers=tiers))
        left = [(await line.ask(wire(ONE)))[1]["X-RateLimit-Remaining-Requests"] for _ in range(3)]
        assert taken(served) == 1
        assert left == ["4", "3", "2"]


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("recorded", [True, False])
async def test_a_client_that_traces_is_answered_at_once_unless_spans_are_recorded(
    *, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = wire(ONE, more=f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n")
    async with talking(generous()) as (served, line):
        before = await warm(served, line)
        lines: list[Any] = []
        monkeypatch.setattr(served.observer._requests, "line", lambda facts, _: lines.append(facts.trace))
        monkeypatch.setattr(served.observer._requests, "wanted", lambda _: True)
        monkeypatch.setattr(served.observer.tracing, "exporter", served if recorded else None)
        monkeypatch.setattr(served.observer, "trace", lambda *_: None)
        assert (await line.ask(traced))[0] == 200
        assert taken(served) == before + recorded
        if not recorded:
            assert [trace.context.trace_id for trace in lines] == [TRACE]


async def test_a_call_that_a_limit_refuses_is_not_worked_out_again() -> None:
    async with talking(configured()) as (served, line):
        await warm(served, line)
        tried = Mock(wraps=served.fast_path.work_out)
        served.fast_path.work_out = tried
        assert [(await line.ask(wire(ONE)))[0] for _ in range(10)] == [200] * 7 + [429] * 3
        tried.assert_not_called()

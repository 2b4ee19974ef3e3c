"""Hedges, failovers and calls that are broken off, as a trace shows them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from fakes.fan_out import FanOut
from fakes.replicas import Script, status
from fakes.spans import NO_HEADERS, Kept, tracing_of

from gateway.config.traces import Traces

if TYPE_CHECKING:
    from gateway.dispatch.order import Found
    from gateway.observe.spans import SpanRecord

USUAL = 0.02


def ask(town: FanOut, kept: Kept) -> asyncio.Task[Found]:
    tracing = tracing_of(Traces(endpoint="http://collector", sample=1), kept, town.clock)
    trace = tracing.begin(NO_HEADERS, "POST", "/v1/embeddings")
    task = asyncio.create_task(town.dispatcher.run(replace(town.order(["text"]), trace=trace), (0,)))
    town.asked.append(task)
    return task


def told(span: SpanRecord) -> tuple[object, ...]:
    names = ("gateway.outcome", "http.response.status_code", "http.request.resend_count", "gateway.hedged")
    return tuple(span.attributes.get(name) for name in names)


async def test_a_hedge_and_the_call_that_it_overtook() -> None:
    town, kept = FanOut("ab", hedge=True), Kept()
    town.knows_what_is_usual(USUAL)
    for name in "ab":
        town.replicas.scripts[name] = Script(seconds=lambda: 2.0 if len(town.replicas.calls) == 1 else USUAL)
    await town.over(ask(town, kept), step=0.001)
    slow, quick = sorted(kept.spans, key=lambda span: span.began)
    assert told(slow) == ("cancelled", None, None, None)
    assert told(quick) == ("answered", 200, 1, True)
    assert slow.attributes["gateway.backend"] != quick.attributes["gateway.backend"]
    assert slow.parent == quick.parent
    assert (slow.failed, quick.failed) == (True, False)
    await town.at_rest()


async def test_a_failover() -> None:
    town, kept = FanOut("ab"), Kept()
    answers = iter([status(503)])
    for name in "ab":
        town.replicas.scripts[name] = Script(always=lambda: next(answers, None))
    await town.over(ask(town, kept))
    first, second = kept.spans
    assert told(first) == ("unavailable", 503, None, None)
    assert told(second) == ("answered", 200, 1, None)
    await town.at_rest()


async def test_a_call_whose_client_went_away_ends_as_cancelled() -> None:
    town, kept = FanOut("a"), Kept()
    town.replicas.scripts["a"] = Script(seconds=lambda: 5.0)
    asked = ask(town, kept)
    await town.clock.advance(1)
    asked.cancel()
    await town.at_rest()
    [span] = kept.spans
    assert told(span) == ("cancelled", None, None, None)
    assert span.ended - span.began == 1_000_000_000

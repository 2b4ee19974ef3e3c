"""Streams on a virtual clock: whatever ends one, the call at the backend ends, and what it cost is settled once."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from fakes.clock import settled
from fakes.gateway import SEARCH_KEY, Gateway, configured
from fakes.spans import NO_HEADERS, Kept, tracing_of
from fakes.streams import FakeClient, FakeStream, FakeStreams, relay_of

from gateway.config.backends import Backend, KeyLimits, ModelEntry, Replica
from gateway.config.schema import Tenant, Tier
from gateway.config.traces import Traces
from gateway.endpoints import chat
from gateway.errors import Code, GatewayError, TransportError
from gateway.vocabulary import Directives, Facts

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.passing import Errand
    from gateway.relay import Whole
    from gateway.vocabulary import RequestTrace

BODY = {"model": "talker", "messages": [{"role": "user", "content": "Say hello to them all."}], "max_tokens": 100}
PROMPT = 6
"""22 bytes of text, four a token."""

HELLO = b'data: {"choices": [{"delta": {"content": "hello all"}}]}\n\n'
SAID = 3
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}}\n\n'
DONE = b"data: [DONE]\n\n"


def gateway(retries: int = 0, **first: Any) -> Gateway:
    """Two backends of one model that chats."""
    backends = {
        "a": Backend(dialect="vllm", url="http://a", retries=retries, **first),
        "b": Backend(dialect="vllm", url="http://b", retries=retries),
    }
    models = {"talker": ModelEntry(backend="a", chat=True, replicas=(Replica(backend="b", weight=0.01),))}
    tiers = {"small": Tier(rpm=10, tpm=1_000, concurrency=1)}
    tenants = {"search": Tenant(tier="small", keys=(SEARCH_KEY,))}
    return Gateway(configured(backends=backends, models=models, tiers=tiers, tenants=tenants))


class Talk:
    """One gateway, the answers it gets, and a client."""

    def __init__(self, *answers: FakeStream | TransportError, gateway: Gateway, **changes: Any) -> None:
        self.gateway = gateway
        self.streams = FakeStreams()
        self.streams.answers.extend(answers)
        self.relay = relay_of(gateway, self.streams)
        self.client = FakeClient()
        self.facts = Facts(chat.NAME, "request-1")
        self.trace: RequestTrace | None = None
        self.body = json.dumps({**BODY, "stream": True, **changes}).encode()

    async def ask(self) -> Whole | None:
        call = self.gateway.call(self.body, SEARCH_KEY, "192.0.2.1", Directives())

        async def check(snapshot: Snapshot) -> Errand:
            return chat.errand_of(await call.read(), snapshot)

        self.facts = Facts(chat.NAME, "request-1", trace=self.trace)
        return await self.relay.serve(call, self.facts, check, self.client)

    async def begun(self) -> asyncio.Task[Whole | None]:
        task = asyncio.ensure_future(self.ask())
        await settled()
        return task

    def settled(self, tokens: int, *, counted: bool = True) -> None:
        """Everything is given back but what was used, and the ledger knows that."""
        used = self.gateway.used("search")
        assert (used.requests, used.tokens, used.slots) == (1, tokens, 0)
        assert [facts.paid_tokens for facts in self.gateway.counted] == ([tokens] if counted else [])


async def test_a_stream_is_settled_for_what_it_says_it_counted() -> None:
    made = gateway()
    talk = Talk(FakeStream(made.clock, steps=[HELLO, 1.0, USAGE, DONE]), gateway=made)
    task = await talk.begun()
    assert talk.client.written == [HELLO]
    used = made.used("search")
    assert used.slots == 1
    assert used.tokens >= 100, "as much as it may answer is reserved, and the prompt"
    await made.clock.advance(1.0)
    assert await task is None
    assert talk.client.written == [HELLO, DONE]
    talk.settled(10)
    assert talk.facts.remaining is not None


async def test_a_trace_shows_each_try_and_how_long_the_stream_took() -> None:
    made, kept = gateway(retries=1), Kept()
    talk = Talk(TransportError("scripted"), FakeStream(made.clock, steps=[HELLO, 1.0, USAGE, DONE]), gateway=made)
    talk.trace = tracing_of(Traces(endpoint="http://x", sample=1), kept, made.clock).begin(NO_HEADERS, "POST", "")
    task = await talk.begun()
    await made.clock.advance(1.0)
    assert await task is None
    lost, streamed = kept.spans
    assert (lost.name, lost.attributes["gateway.outcome"]) == ("chat talker", "reset")
    assert (streamed.attributes["gateway.outcome"], streamed.attributes["http.request.resend_count"]) == ("answered", 1)
    assert streamed.ended - streamed.began == 1_000_000_000
    carried = [exchange.headers["traceparent"] for _, exchange in talk.streams.asked]
    assert carried == [span.context.headers["traceparent"] for span in kept.spans]


async def test_without_a_count_our_estimate_holds() -> None:
    made = gateway()
    talk = Talk(FakeStream(made.clock, steps=[HELLO, DONE]), gateway=made)
    await talk.ask()
    talk.settled(PROMPT + SAID)


@pytest.mark.parametrize(("steps", "tokens"), [([], PROMPT), ([HELLO], PROMPT + SAID), ([HELLO, USAGE], 10)])
async def test_a_client_that_goes_away_pays_for_what_was_begun(steps: list[bytes], tokens: int) -> None:
    made = gateway()
    stream = FakeStream(made.clock, steps=[*steps, asyncio.Event()])
    talk = Talk(stream, gateway=made)
    task = await talk.begun()
    assert [len(talk.streams.asked), stream.closed] == [1, False]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.closed
    talk.settled(tokens)


async def test_a_client_that_takes_nothing_more_ends_it_too() -> None:
    made = gateway()
    stream = FakeStream(made.clock, steps=[HELLO, 1.0, HELLO])
    talk = Talk(stream, gateway=made)
    task = await talk.begun()
    talk.client.gone = True
    await made.clock.advance(1.0)
    with pytest.raises(ConnectionError):
        await task
    assert stream.closed
    talk.settled(PROMPT + 2 * SAID - 1)  # the pieces are counted together


async def test_silence_in_the_middle_ends_a_stream() -> None:
    made = gateway(idle_timeout=5.0)
    stream = FakeStream(made.clock, steps=[HELLO, 6.0, HELLO])
    talk = Talk(stream, gateway=made)
    task = await talk.begun()
    await made.clock.advance(5.0)
    with pytest.raises(GatewayError, match="5 seconds") as caught:
        await task
    assert caught.value.code is Code.SERVICE_TIMEOUT
    assert stream.closed
    talk.settled(PROMPT + SAID)
    assert made.seen.upstream_calls[-1][2] == "timeout"


async def test_a_stream_ends_at_the_calls_deadline() -> None:
    made = gateway()
    steps: list[bytes | float] = [20.0, HELLO] * 10
    stream = FakeStream(made.clock, steps=[HELLO, *steps])
    talk = Talk(stream, gateway=made)
    task = await talk.begun()
    await made.clock.advance(120.0)
    with pytest.raises(GatewayError, match="120 seconds"):
        await task
    assert stream.closed
    assert made.seen.upstream_calls[-1][2] == "answered", "the backend did what it could"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (TransportError("none", sent=False), Code.SERVICE_UNAVAILABLE),
        (TransportError("late", timed_out=True), Code.SERVICE_TIMEOUT),
        (TransportError("broke"), Code.SERVICE_UNAVAILABLE),
    ],
)
async def test_what_fails_before_the_first_byte_costs_nothing(failure: TransportError, code: Code) -> None:
    made = gateway()
    for script in (failure, FakeStream(made.clock, steps=[failure])):
        made = gateway()
        talk = Talk(script, gateway=made)
        with pytest.raises(GatewayError) as caught:
            await talk.ask()
        assert caught.value.code is code
        assert talk.client.begun is None
        talk.settled(0, counted=False)


async def test_another_backend_answers_for_one_that_fails_before_the_first_byte() -> None:
    made = gateway(retries=2)
    broken = FakeStream(made.clock, status=503, steps=[b"{}"])
    talk = Talk(broken, FakeStream(made.clock, steps=[HELLO, USAGE, DONE]), gateway=made)
    await talk.ask()
    assert sorted(base for base, _ in talk.streams.asked) == ["http://a", "http://b"]
    assert broken.closed
    assert talk.client.written == [HELLO, DONE]
    talk.settled(10)


async def test_nobody_answers_for_one_that_fails_later() -> None:
    made = gateway(retries=2)
    stream = FakeStream(made.clock, steps=[HELLO, TransportError("broke")])
    talk = Talk(stream, FakeStream(made.clock, steps=[HELLO]), gateway=made)
    with pytest.raises(GatewayError, match="broke off"):
        await talk.ask()
    assert len(talk.streams.asked) == 1
    assert made.seen.upstream_calls[-1][2] == "reset"
    talk.settled(PROMPT + SAID)


async def test_a_refusal_of_the_input_names_the_messages() -> None:
    made = gateway(retries=2)
    body = b'{"error": {"message": "too many images", "type": "BadRequestError"}}'
    talk = Talk(FakeStream(made.clock, status=400, headers={}, steps=[body]), gateway=made)
    with pytest.raises(GatewayError, match="too many images") as caught:
        await talk.ask()
    assert caught.value.errors[0].field == "body -> messages"
    talk.settled(0, counted=False)


async def test_what_cannot_be_believed_is_not_handed_on() -> None:
    made = gateway()
    talk = Talk(FakeStream(made.clock, headers={"content-type": "text/html"}, steps=[b"<html>"]), gateway=made)
    with pytest.raises(GatewayError, match="not usable"):
        await talk.ask()
    talk.settled(0, counted=False)


async def test_a_call_that_may_need_more_than_is_left_is_refused_before_anybody_is_asked() -> None:
    made = gateway()
    talk = Talk(gateway=made, max_tokens=5_000)
    with pytest.raises(GatewayError) as caught:
        await talk.ask()
    assert caught.value.code is Code.RATE_TOKEN_LIMIT_EXCEEDED
    assert not talk.streams.asked
    assert made.used("search").requests == 0


class TestTheBackendsOwnLimits:
    """A stream holds its key's place until it ends, however it ends."""

    @pytest.mark.parametrize("leaves", [True, False])
    async def test_the_next_waits_for_it(self, *, leaves: bool) -> None:
        backends = {"a": Backend(dialect="vllm", url="http://a", limits=KeyLimits(concurrency=1))}
        models = {"talker": ModelEntry(backend="a", chat=True)}
        made = Gateway(configured(backends=backends, models=models))
        gate = asyncio.Event()
        first = Talk(FakeStream(made.clock, steps=[HELLO, gate]), gateway=made)
        second = Talk(FakeStream(made.clock, steps=[HELLO, DONE]), gateway=made)
        holds, waits = await first.begun(), await second.begun()
        await made.clock.advance(1.0)
        assert not second.streams.asked
        if leaves:
            holds.cancel()
        gate.set()
        await asyncio.gather(holds, return_exceptions=True)
        await made.clock.advance(1.0)
        assert await waits is None
        assert second.client.written == [HELLO, DONE]
        assert made.used("search").slots == 0

    async def test_what_was_counted_counts_for_the_key(self) -> None:
        backends = {"a": Backend(dialect="vllm", url="http://a", limits=KeyLimits(tpm=5_000))}
        made = Gateway(configured(backends=backends, models={"talker": ModelEntry(backend="a", chat=True)}))
        await Talk(FakeStream(made.clock, steps=[HELLO, USAGE, DONE]), gateway=made).ask()
        (key,) = made.shaper._stations["a"][1].pool.keys
        used = made.leases.of(key.meter).used
        assert used.tokens == 10

    async def test_who_leaves_the_queue_pays_nothing(self) -> None:
        backends = {"a": Backend(dialect="vllm", url="http://a", limits=KeyLimits(concurrency=1))}
        models = {"talker": ModelEntry(backend="a", chat=True)}
        made = Gateway(configured(backends=backends, models=models))
        first = Talk(FakeStream(made.clock, steps=[HELLO, asyncio.Event()]), gateway=made)
        second = Talk(gateway=made)
        holds, waits = await first.begun(), await second.begun()
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        assert not made.counted
        assert made.used("search").slots == 1
        holds.cancel()
        await asyncio.gather(holds, return_exceptions=True)

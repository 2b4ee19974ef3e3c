"""Traces of the real process, as an OpenTelemetry collector receives them."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest_asyncio
from fakes.collector import Collector, collecting
from fakes.jina_upstream import KEY, Fault
from fakes.running_gateway import launched, until

from gateway.observe.spans import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Answer, Gateway

CLIENT = "jina_" + "c" * 60
STRANGER = "a-key-nobody-has"
CONFIG = """
backends:
  jina: {{dialect: jina, url: "{url}", key: {key}}}
  batching: {{dialect: jina, url: "{url}", key: {key}, batch: true, batch_window: 0.3}}
models: {{batched: {{backend: batching, dimensions: 768}}}}
tiers: {{wide: {{rpm: null, tpm: null, concurrency: null}}}}
tenants: {{client: {{tier: wide, keys: [{client}]}}}}
observe: {{log_sample: 1.0}}
traces: {{endpoint: "{collector}", sample: {sample}, headers: {{x-collector-key: "${{COLLECTOR_KEY}}"}}}}
"""
MODEL = "jina-embeddings-v3"
WHOLE = ["authenticate", "validate", "admit", "plan", "admit", "dispatch", "settle", "assemble"]
numbers = count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(collector: Collector, upstream_url: str) -> AsyncIterator[Gateway]:
    config = CONFIG.format(url=upstream_url, key=KEY, client=CLIENT, collector=collector.url, sample=0)
    async with launched(config, key=CLIENT, env={"COLLECTOR_KEY": "secret-of-the-collector"}) as made:
        yield made


class Client:
    """A client that traces: its own span is the parent of what the gateway does for it."""

    def __init__(self, flags: str = "01") -> None:
        number = next(numbers)
        self.trace_id, self.span_id = f"{number:032x}", f"{number:016x}"
        self.headers = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{flags}", "tracestate": "vendor=a:b"}

    async def embed(self, gateway: Gateway, texts: Any, model: str = MODEL, key: str = "") -> Answer:
        return await gateway.post("/v1/embeddings", {"model": model, "input": texts}, key, **self.headers)


async def tree_of(collector: Collector, client: Client, root: str = "POST /v1/embeddings") -> list[str]:
    async def there() -> bool:
        return any(span.name == root for span in collector.of(client.trace_id))

    await until(there)
    return collector.tree(client.trace_id)


def lines(gateway: Gateway, event: str = "request") -> list[dict[str, Any]]:
    told = [json.loads(line) for line in gateway.logged().splitlines() if line.startswith("{")]
    return [line for line in told if line["event"] == event]


async def test_a_miss_and_a_hit(gateway: Gateway, collector: Collector, upstream: Upstream) -> None:
    upstream.heads.clear()
    miss, hit = Client(), Client()
    answer = await miss.embed(gateway, ["a miss", "another", "a miss"])
    assert (answer.status, answer.cached) == (200, (1, 2))
    dispatched = [*[f"  {name}" for name in WHOLE]]
    dispatched.insert(6, f"    embeddings {MODEL}")
    assert await tree_of(collector, miss) == ["POST /v1/embeddings", *dispatched]
    assert (await hit.embed(gateway, ["a miss", "another"])).cached == (2, 0)
    assert await tree_of(collector, hit) == ["POST /v1/embeddings", *[f"  {name}" for name in WHOLE]]

    root, *inner = collector.of(miss.trace_id)
    call = next(span for span in inner if span.kind == "client")
    assert (root.kind, root.parent, root.state, root.failed) == ("server", miss.span_id, "vendor=a:b", False)
    assert all(root.began <= span.began <= span.ended <= root.ended for span in inner)
    assert (
        root.attributes.items()
        >= {
            "http.request.method": "POST",
            "http.route": "/v1/embeddings",
            "http.response.status_code": 200,
            "gen_ai.operation.name": "embeddings",
            "gen_ai.request.model": MODEL,
            "gen_ai.usage.input_tokens": answer.json["usage"]["total_tokens"],
            "gateway.request_id": answer.headers["X-Request-Id"],
            "gateway.tenant": "client",
            "gateway.items": 3,
            "gateway.cache.misses": 2,
            "gateway.cache.duplicates": 1,
        }.items()
    )
    assert (
        call.attributes.items()
        >= {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.provider.name": "jina",
            "gen_ai.request.model": MODEL,
            "gen_ai.usage.input_tokens": 3,
            "server.address": "127.0.0.1",
            "http.response.status_code": 200,
            "gateway.backend": "jina",
            "gateway.items": 2,
        }.items()
    )
    # The upstream continues the trace from the very span of the call.
    [head] = upstream.heads
    assert head["traceparent"] == f"00-{miss.trace_id}-{call.span_id}-01"
    assert head["tracestate"] == "vendor=a:b"
    assert {miss.trace_id, hit.trace_id} <= {line.get("trace_id") for line in lines(gateway)}


async def test_each_try_is_a_call(gateway: Gateway, collector: Collector, upstream: Upstream) -> None:
    upstream.heads.clear()
    upstream.faults.append(Fault(status=503, body=b'{"detail": "not now"}'))
    client = Client()
    assert (await client.embed(gateway, ["tried twice"])).status == 200
    tree = await tree_of(collector, client)
    assert tree[6:9] == ["  dispatch", *[f"    embeddings {MODEL}"] * 2]
    first, second = [span for span in collector.of(client.trace_id) if span.kind == "client"]
    assert (first.failed, first.attributes["error.type"], first.attributes["http.response.status_code"]) == (
        True,
        "unavailable",
        503,
    )
    assert (second.failed, second.attributes["http.request.resend_count"]) == (False, 1)
    assert [head["traceparent"].split("-")[2] for head in upstream.heads] == [first.span_id, second.span_id]


async def test_a_call_for_several_is_linked_to_each(gateway: Gateway, collector: Collector, upstream: Upstream) -> None:
    upstream.heads.clear()
    clients = [Client(), Client(), Client()]
    await asyncio.gather(*[one.embed(gateway, f"text of {one.span_id}", "batched") for one in clients])
    assert len(upstream.heads) == 1
    trees = [await tree_of(collector, client) for client in clients]
    roots = [collector.of(client.trace_id)[0] for client in clients]
    [call] = [span for client in clients for span in collector.of(client.trace_id) if span.kind == "client"]
    assert sorted(len(tree) for tree in trees) == [9, 9, 10]
    assert set(call.links) == {f"{root.trace_id}-{root.span_id}" for root in roots}
    assert call.attributes["gateway.requests"] == 3
    others = [client for client in clients if client.trace_id != call.trace_id]
    for other in others:
        [dispatch] = [span for span in collector.of(other.trace_id) if span.name == "dispatch"]
        assert dispatch.links == (f"{call.trace_id}-{call.span_id}",)


async def test_failures_have_their_code_and_only_ours_are_errors(
    gateway: Gateway, collector: Collector, upstream: Upstream
) -> None:
    stranger, odd, garbage = Client(), Client(), Client()
    assert (await stranger.embed(gateway, ["x"], key=STRANGER)).status == 401
    assert (await gateway.post("/nowhere/private", {}, **odd.headers)).status == 404
    upstream.faults.extend([Fault(status=200, body=b"garbage")] * 3)
    answer = await garbage.embed(gateway, ["not answered"])
    upstream.faults.clear()
    assert answer.status >= 500
    assert await tree_of(collector, stranger) == ["POST /v1/embeddings", "  authenticate"]
    [refused, _] = collector.of(stranger.trace_id)
    assert (refused.failed, refused.attributes["error.type"]) == (False, "AUTH_INVALID_API_KEY")
    await tree_of(collector, odd, "POST")
    [lost] = collector.of(odd.trace_id)
    assert not {"http.route", "url.path"} & lost.attributes.keys()
    await tree_of(collector, garbage)
    root = collector.of(garbage.trace_id)[0]
    assert (root.failed, root.attributes["error.type"]) == (True, answer.json["code"])


async def test_who_does_not_sample_is_not_traced_but_handed_on(
    gateway: Gateway, collector: Collector, upstream: Upstream
) -> None:
    upstream.heads.clear()
    quiet, loud = Client("00"), Client()
    await quiet.embed(gateway, ["not sampled"])
    await gateway.embed(["no context at all"], model=MODEL)
    await loud.embed(gateway, ["sampled"])
    await tree_of(collector, loud)
    assert not collector.of(quiet.trace_id)
    first, second, _ = upstream.heads
    assert (first["traceparent"], first["tracestate"]) == (quiet.headers["traceparent"], "vendor=a:b")
    assert "traceparent" not in second
    assert quiet.trace_id in {line.get("trace_id") for line in lines(gateway)}


async def test_every_attribute_is_in_the_table_and_the_exporter_is_known(
    gateway: Gateway, collector: Collector
) -> None:
    assert {name for span in collector.spans for name in span.attributes} <= ATTRIBUTES.keys()
    assert {head["x-collector-key"] for head in collector.heads} == {"secret-of-the-collector"}
    assert {resource["service.name"] for resource in collector.resources} == {"gateway"}
    page = (await gateway.get("/metrics")).body.decode()
    assert 'gateway_spans_total{outcome="exported"}' in page


async def test_what_is_left_goes_out_when_the_gateway_stops(upstream_url: str) -> None:
    async with collecting() as collector:
        config = CONFIG.format(url=upstream_url, key=KEY, client=CLIENT, collector=collector.url, sample=1)
        async with launched(config, key=CLIENT, env={"COLLECTOR_KEY": "k"}) as gateway:
            assert (await gateway.embed(["the last one"], model=MODEL)).status == 200
            await gateway.stop()
        assert [span.parent for span in collector.spans if span.kind == "server"] == [""]
        assert len({span.trace_id for span in collector.spans}) == 1


async def test_the_calls_of_a_job_are_traces_of_their_own(upstream_url: str) -> None:
    async with collecting() as collector:
        config = CONFIG.format(url=upstream_url, key=KEY, client=CLIENT, collector=collector.url, sample=1)
        async with launched(config, key=CLIENT, env={"COLLECTOR_KEY": "k"}) as gateway:
            job = {"model": "jina-embeddings-v5-text-nano", "input": [{"body": {"input": "of a job"}}]}
            made = (await gateway.post("/v1/batch/embeddings", job)).json["batch_id"]

            async def traced() -> bool:
                return any(span.name == "batch" for span in collector.spans)

            await until(traced, 0.1)
        (root,) = [span for span in collector.spans if span.name == "batch"]
    assert (root.kind, root.parent, root.attributes["gateway.request_id"]) == ("internal", "", f"{made}.0")
    tree = collector.tree(root.trace_id)
    assert tree[0] == "batch"
    assert {"  plan", "  dispatch", "    embeddings jina-embeddings-v5-text-nano"} <= set(tree)


async def test_without_a_collector_context_is_handed_on_and_logged(remote: Gateway, upstream: Upstream) -> None:
    upstream.heads.clear()
    client = Client()
    answer = await client.embed(remote, ["handed on"])
    assert answer.status == 200
    assert [head["traceparent"] for head in upstream.heads] == [client.headers["traceparent"]]
    assert "gateway_spans" not in (await remote.get("/metrics")).body.decode()

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from fakes.clock import settled
from fakes.gateway import OTHER_KEY, SEARCH_KEY, Gateway, configured
from fakes.jina_upstream import Fault

from gateway.config.backends import Backend
from gateway.config.schema import Cache, LimitSettings, Tenant
from gateway.errors import Code, GatewayError
from gateway.ports import Amounts
from gateway.vocabulary import CacheScope, Remaining

V3 = "jina-embeddings-v3"


def embed(*texts: str, model: str = V3, **fields: Any) -> bytes:
    return orjson.dumps({"model": model, "input": list(texts), **fields})


async def embedded(gateway: Gateway, *texts: str, key: str = SEARCH_KEY, **fields: Any) -> dict[str, Any]:
    reply, _ = await gateway.ask("embeddings", embed(*texts, **fields), key)
    content: dict[str, Any] = orjson.loads(reply.body)
    return content


async def refused(gateway: Gateway, body: bytes, key: str | None = SEARCH_KEY) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await gateway.ask("embeddings", body, key)
    return raised.value


async def test_a_second_call_is_answered_from_the_cache_with_equal_vectors_and_usage() -> None:
    gateway = Gateway()
    first = await embedded(gateway, "one two", "three")
    second = await embedded(gateway, "one two", "three")
    assert first == second
    assert first["usage"] == {"total_tokens": 3, "prompt_tokens": 3}
    assert len(gateway.upstream.calls) == 1


async def test_only_what_is_new_goes_upstream_and_answers_come_in_order() -> None:
    gateway = Gateway()
    before = {text: (await embedded(gateway, text))["data"][0]["embedding"] for text in ("b", "d")}
    reply, facts = await gateway.ask("embeddings", embed("a", "b", "c", "d", "a"))
    data = orjson.loads(reply.body)["data"]
    assert [entry["index"] for entry in data] == [0, 1, 2, 3, 4]
    assert (data[1]["embedding"], data[3]["embedding"]) == (before["b"], before["d"])
    assert data[0]["embedding"] == data[4]["embedding"]
    assert gateway.upstream.calls[-1]["input"] == ["a", "c"]
    assert (facts.hits, facts.misses, facts.duplicates) == (2, 2, 1)
    assert (reply.hits, reply.misses, reply.duplicates, reply.stored) == (2, 2, 1, True)


async def test_what_was_asked_costs_and_what_was_stored_saves_at_the_tenants_price() -> None:
    tenants = {
        "search": Tenant(tier="small", keys=(SEARCH_KEY,), prices={V3: "0.0000000015"}),
        "other": Tenant(tier="small", keys=(OTHER_KEY,)),
    }
    gateway = Gateway(configured(tenants=tenants))
    _, first = await gateway.ask("embeddings", embed("one two", "three"))
    _, again = await gateway.ask("embeddings", embed("one two", "three", "four"))
    _, other = await gateway.ask("embeddings", embed("one two", "five"), OTHER_KEY)
    assert (first.nanos, first.saved_nanos) == (5, 0)  # 3 tokens at 1.5, rounded once
    assert (again.nanos, again.saved_nanos) == (2, 5)
    assert (other.nanos, other.saved_nanos) == (50, 100)  # the catalogue's price


async def test_what_is_answered_is_counted_and_what_fails_is_not() -> None:
    gateway = Gateway()
    _, facts = await gateway.ask("embeddings", embed("a"))
    assert gateway.counted == [facts]
    gateway.upstream.faults.append(Fault(status=400))
    for body, key in ((embed("b"), SEARCH_KEY), (b"{}", SEARCH_KEY), (embed("a"), "nobody's")):
        await refused(gateway, body, key)
    assert gateway.counted == [facts]


async def test_the_stages_run_in_their_order() -> None:
    gateway = Gateway()
    _, facts = await gateway.ask("embeddings", embed("a"))
    order = ["authenticate", "validate", "admit", "plan", "admit", "dispatch", "settle", "assemble"]
    assert [stage.value for stage, _ in facts.stages] == order


async def test_tenants_of_one_org_share_the_cache_and_others_do_not() -> None:
    shared, apart = Gateway(), Gateway(configured(cache=Cache(scope=CacheScope.TENANT)))
    for gateway in (shared, apart):
        await embedded(gateway, "a")
        await embedded(gateway, "a", key=OTHER_KEY)
    assert (len(shared.upstream.calls), len(apart.upstream.calls)) == (1, 2)


async def test_with_the_cache_off_everything_is_asked_but_copies_in_a_list_still_once() -> None:
    gateway = Gateway(configured(cache=Cache(scope=CacheScope.OFF)))
    await embedded(gateway, "a", "a")
    reply, _ = await gateway.ask("embeddings", embed("a", "a"))
    assert [call["input"] for call in gateway.upstream.calls] == [["a"], ["a"]]
    assert reply.bypassed
    assert not gateway.answers.entries


async def test_a_query_never_gets_a_passages_vector() -> None:
    gateway = Gateway()
    query = await embedded(gateway, "a", task="retrieval.query")
    passage = await embedded(gateway, "a", task="retrieval.passage")
    assert query["data"] != passage["data"]
    assert len(gateway.upstream.calls) == 2


async def test_settled_tokens_are_what_the_upstream_counted_and_hits_cost_none() -> None:
    gateway = Gateway()
    await embedded(gateway, "one two three")
    await embedded(gateway, "one two three")
    assert gateway.used("search") == Amounts(requests=2, tokens=3, slots=0)


async def test_cached_tokens_count_where_the_config_says_so() -> None:
    gateway = Gateway(configured(limits=LimitSettings(count_cached_tokens=True)))
    await embedded(gateway, "one two three")
    await embedded(gateway, "one two three", "one two three")
    assert gateway.used("search").tokens == 9


async def test_a_failed_request_costs_no_tokens_and_frees_its_slot() -> None:
    gateway = Gateway()
    gateway.upstream.faults.append(Fault(status=401))
    error = await refused(gateway, embed("a"))
    assert error.code is Code.SERVICE_UNAVAILABLE
    assert gateway.used("search") == Amounts(requests=1, tokens=0, slots=0)


async def test_what_is_stored_is_served_when_the_tokens_are_used_up() -> None:
    gateway = Gateway()
    await embedded(gateway, "a")
    await embedded(gateway, "b " * 400)
    await embedded(gateway, "d " * 290)
    error = await refused(gateway, embed("c" * 500))
    assert error.code is Code.RATE_TOKEN_LIMIT_EXCEEDED
    assert "691/1,000" in error.message
    assert (await embedded(gateway, "a"))["data"]
    assert gateway.used("search").requests == 4


async def test_requests_are_refused_with_current_and_limit_and_when_to_come_back() -> None:
    gateway = Gateway()
    for _ in range(10):
        await embedded(gateway, "a")
    error = await refused(gateway, embed("a"))
    assert error.code is Code.RATE_REQUEST_LIMIT_EXCEEDED
    assert error.message.endswith("10/10 requests per minute")
    assert error.retry_after == pytest.approx(61.0)
    await gateway.clock.advance(61)
    assert (await embedded(gateway, "a"))["data"]


async def test_concurrency_is_refused_and_comes_back_at_once() -> None:
    gateway = Gateway()
    gate = asyncio.Event()
    gateway.upstream.faults.extend([Fault(gate=gate), Fault(gate=gate)])
    running = [asyncio.create_task(embedded(gateway, text)) for text in ("a", "b")]
    await settled()
    assert (await refused(gateway, embed("c"))).code is Code.RATE_CONCURRENCY_LIMIT_EXCEEDED
    gate.set()
    await asyncio.gather(*running)
    assert (await embedded(gateway, "c"))["data"]


async def test_a_cancelled_request_settles_to_nothing_and_frees_its_slot() -> None:
    gateway = Gateway()
    gateway.upstream.faults.append(Fault(gate=asyncio.Event()))
    running = asyncio.create_task(embedded(gateway, "a"))
    await settled()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await gateway.tasks.drain(1)
    assert gateway.used("search") == Amounts(requests=1, tokens=0, slots=0)


@pytest.mark.parametrize(
    ("key", "code"), [(None, Code.AUTH_MISSING_API_KEY), ("jina_" + "x" * 60, Code.AUTH_INVALID_API_KEY)]
)
async def test_nobody_unknown_is_read(key: str | None, code: Code) -> None:
    gateway = Gateway()
    assert (await refused(gateway, b"not even JSON", key)).code is code


async def test_failed_authentications_of_one_address_are_limited_and_good_keys_are_not() -> None:
    gateway = Gateway(configured(limits=LimitSettings(ip_failures_per_minute=2)))
    codes = [(await refused(gateway, b"", "jina_wrong")).code for _ in range(3)]
    assert codes == [Code.AUTH_INVALID_API_KEY, Code.AUTH_INVALID_API_KEY, Code.RATE_IP_LIMIT_EXCEEDED]
    assert (await embedded(gateway, "a"))["data"]


async def test_a_refusal_before_admission_still_tells_what_is_left() -> None:
    gateway = Gateway()
    facts_of = gateway.ask("embeddings", embed("a", model="unknown"))
    with pytest.raises(GatewayError) as raised:
        await facts_of
    assert raised.value.code is Code.INPUT_MODEL_NOT_FOUND
    assert gateway.used("search").requests == 0


async def test_remaining_is_what_is_left_after_settlement() -> None:
    gateway = Gateway()
    _, facts = await gateway.ask("embeddings", embed("one two"))
    assert facts.remaining == Remaining(requests=9, tokens=998)


async def test_a_store_that_is_down_is_a_503_and_a_cache_that_is_down_is_nothing() -> None:
    gateway = Gateway()
    for _ in range(2):
        await gateway.leases.tick()
        gateway.clock.now += 3
    gateway.answers.down = True
    assert (await embedded(gateway, "a"))["data"]
    assert (await embedded(gateway, "a"))["data"]
    assert len(gateway.upstream.calls) == 2
    gateway.quota.down = True
    assert (await refused(gateway, embed("a"), OTHER_KEY)).code is Code.SERVICE_UNAVAILABLE
    assert (await embedded(gateway, "a"))["data"], "what this worker holds of the limit is still there"


async def test_a_long_list_is_split_and_put_together_in_order() -> None:
    backend = Backend(dialect="jina", url="http://upstream", key="jina_" + "u" * 60, max_inputs=3)
    gateway = Gateway(configured(backends={"jina": backend}))
    texts = [f"t{number}" for number in range(8)]
    whole = (await embedded(gateway, *texts))["data"]
    assert [len(call["input"]) for call in gateway.upstream.calls] == [2, 3, 3]
    one = (await embedded(gateway, "t5"))["data"][0]["embedding"]
    assert whole[5]["embedding"] == one


async def test_pieces_that_came_are_kept_when_another_fails() -> None:
    backend = Backend(dialect="jina", url="http://upstream", key="jina_" + "u" * 60, max_inputs=1, retries=0)
    gateway = Gateway(configured(backends={"jina": backend}))
    gateway.upstream.faults.append(Fault(status=500))
    assert (await refused(gateway, embed("a", "b"))).code is Code.SERVICE_UNAVAILABLE
    await embedded(gateway, "a", "b")
    assert [call["input"] for call in gateway.upstream.calls] == [["a"], ["b"], ["a"]]


async def test_a_failure_worth_it_is_tried_again_after_a_wait() -> None:
    gateway = Gateway()
    gateway.upstream.faults.extend([Fault(status=503), Fault(status=502)])
    running = asyncio.create_task(embedded(gateway, "a"))
    await gateway.clock.advance(1)
    assert (await running)["data"]
    assert len(gateway.upstream.calls) == 3


async def test_garbage_is_neither_answered_nor_stored() -> None:
    gateway = Gateway()
    gateway.upstream.faults.append(Fault(status=200, body=b'{"data":[]}'))
    assert (await refused(gateway, embed("a"))).code is Code.SERVICE_UNAVAILABLE
    assert not gateway.answers.entries


async def test_late_chunked_lists_are_one_entry_and_never_taken_apart() -> None:
    gateway = Gateway()
    first = await embedded(gateway, "a", "b", late_chunking=True)
    assert await embedded(gateway, "a", "b", late_chunking=True) == first
    await embedded(gateway, "b", "a", late_chunking=True)
    await embedded(gateway, "a")
    assert [call["input"] for call in gateway.upstream.calls] == [["a", "b"], ["b", "a"], ["a"]]


async def reranked(gateway: Gateway, documents: list[Any], **fields: Any) -> dict[str, Any]:
    body = {"model": "jina-reranker-v2-base-multilingual", "query": "red fox", "documents": documents, **fields}
    reply, _ = await gateway.ask("rerank", orjson.dumps(body))
    content: dict[str, Any] = orjson.loads(reply.body)
    return content


async def test_rerank_asks_only_unknown_pairs() -> None:
    gateway = Gateway()
    await reranked(gateway, ["a red fox", "a dog"])
    second = await reranked(gateway, ["a cat", {"text": "a red fox", "id": 7}], top_n=1)
    assert [call["documents"] for call in gateway.upstream.calls] == [["a red fox", "a dog"], ["a cat"]]
    assert second["results"][0]["document"] == {"text": "a red fox", "id": 7}
    assert [entry["index"] for entry in second["results"]] == [1]


async def test_a_listwise_reranker_is_asked_for_the_whole_list() -> None:
    gateway = Gateway()
    model = "jina-reranker-v3"
    await reranked(gateway, ["a", "b"], model=model)
    await reranked(gateway, ["a", "b"], model=model, top_n=1, return_documents=False)
    await reranked(gateway, ["a"], model=model)
    assert [call["documents"] for call in gateway.upstream.calls] == [["a", "b"], ["a"]]

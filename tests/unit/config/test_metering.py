from __future__ import annotations

import pytest

from gateway.admit.meters import meters_of, tenant_meter
from gateway.authenticate import digest
from gateway.config.compile import compile_snapshot
from gateway.config.parse import parse
from gateway.vocabulary import Fallback, Limits, Meter, Scope

SECRET = b"s" * 32
TEXT = """
backends: {jina: {dialect: jina, url: http://up, key: k}}
tiers:
  gold:
    rpm: 100
    each_key: {rpm: 10, shadow: true}
    endpoints: {rerank: {tpm: 7, when_store_fails: open}}
    models: {jina-embeddings-v3: {concurrency: 3}}
tenants: {a: {tier: gold, keys: [key-of-a1, key-of-a2]}, b: {keys: [key-of-b]}}
limits:
  total: {rpm: 1000}
  models: {jina-embeddings-v3: {tpm: 9}}
  rpm_per_address: 5
  when_store_fails: closed
"""
SNAPSHOT = compile_snapshot(parse(TEXT, "f", {}), secret=SECRET, digest=digest)


def meters(key: str, endpoint: str, model: str) -> dict[str, Meter]:
    caller = SNAPSHOT.directory[digest(key, SECRET)]
    return {meter.subject: meter for meter in meters_of(SNAPSHOT, caller, endpoint, model, "192.0.2.1")}


def test_a_call_counts_in_everything_that_it_belongs_to() -> None:
    key_id = SNAPSHOT.directory[digest("key-of-a1", SECRET)].key_id
    found = meters("key-of-a1", "embeddings", "jina-embeddings-v3")
    assert {subject: (meter.scope, meter.limits) for subject, meter in found.items()} == {
        "t:a": (Scope.TENANT, Limits(100, None, None)),
        f"k:{key_id}": (Scope.KEY, Limits(10, None, None)),
        "t:a:m:jina-embeddings-v3": (Scope.MODEL, Limits(None, None, 3)),
        "m:jina-embeddings-v3": (Scope.MODEL, Limits(None, 9, None)),
        "ip:192.0.2.1": (Scope.ADDRESS, Limits(5, None, None)),
        "total": (Scope.TOTAL, Limits(1_000, None, None)),
    }
    assert tenant_meter(tuple(found.values())) is found["t:a"]


def test_endpoints_and_keys_have_their_own() -> None:
    first, second = (set(meters(key, "rerank", "jina-reranker-m0")) for key in ("key-of-a1", "key-of-a2"))
    assert first & second == {"t:a", "t:a:e:rerank", "ip:192.0.2.1", "total"}
    assert len(first - second) == 1
    assert set(meters("key-of-b", "rerank", "jina-reranker-m0")) == {"t:b", "ip:192.0.2.1", "total"}


@pytest.mark.parametrize(
    ("subject", "shadow", "fallback"),
    [
        ("t:a", False, Fallback.CLOSED),
        ("t:a:e:rerank", False, Fallback.OPEN),
        ("ip:192.0.2.1", False, Fallback.CLOSED),
    ],
)
def test_what_holds_without_the_store_is_the_bounds_own_or_everybodys(
    subject: str, fallback: Fallback, *, shadow: bool
) -> None:
    meter = meters("key-of-a1", "rerank", "jina-reranker-m0")[subject]
    assert (meter.shadow, meter.fallback) == (shadow, fallback)
    assert meter.expires is (meter.scope is Scope.ADDRESS)


def test_a_shadow_is_only_what_says_so() -> None:
    found = meters("key-of-a1", "rerank", "jina-reranker-m0")
    assert [meter.scope for meter in found.values() if meter.shadow] == [Scope.KEY]


def test_the_products_limits_are_the_apis() -> None:
    text = "tenants: {k: {tier: key, keys: [key-of-k]}, p: {tier: premium, keys: [key-of-p]}}"
    snapshot = compile_snapshot(parse(text, "f", {}), secret=SECRET, digest=digest)
    found = {
        (name, endpoint): meter.limits
        for name in ("k", "p")
        for endpoint, meter in snapshot.directory[digest(f"key-of-{name}", SECRET)].by_endpoint.items()
    }
    assert found == {
        ("k", "embeddings"): Limits(500, 1_000_000, None),
        ("k", "rerank"): Limits(500, 1_000_000, None),
        ("k", "classify"): Limits(200, 500_000, None),
        ("k", "classify_few_shot"): Limits(20, 200_000, None),
        ("k", "train"): Limits(20, 200_000, None),
        ("k", "segment"): Limits(200, None, None),
        ("k", "reader"): Limits(200, None, None),
        ("k", "search"): Limits(40, None, None),
        ("k", "ground"): Limits(10, None, None),
        ("p", "embeddings"): Limits(2_000, 5_000_000, None),
        ("p", "rerank"): Limits(2_000, 5_000_000, None),
        ("p", "classify"): Limits(1_000, 3_000_000, None),
        ("p", "classify_few_shot"): Limits(60, 1_000_000, None),
        ("p", "train"): Limits(60, 1_000_000, None),
        ("p", "segment"): Limits(1_000, None, None),
        ("p", "reader"): Limits(1_000, None, None),
        ("p", "search"): Limits(100, None, None),
        ("p", "ground"): Limits(30, None, None),
    }
    assert snapshot.anonymous is not None
    without = {name: meter.limits for name, meter in snapshot.anonymous.by_endpoint.items()}
    assert without == {"segment": Limits(20, None, None), "reader": Limits(20, None, None)}

"""C: each caller's own key goes to the Jina API, and nowhere else."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from fakes.gateway import Gateway, configured
from fakes.jina_upstream import KEY, Fault

from gateway.config.backends import Backend, ModelEntry
from gateway.config.schema import Cache, LimitSettings, Server
from gateway.dispatch.order import Order
from gateway.errors import Code, GatewayError
from gateway.vocabulary import CacheScope, Facts, Reply

MODEL = "jina-embeddings-v3"
ONE, OTHER = "own-key-one", "own-key-other"


def gateway(**changes: Any) -> Gateway:
    server = Server(authentication="passthrough", passthrough_tier="small")
    made = Gateway(configured(**({"server": server, "tenants": {}} | changes)))
    made.upstream.keys = {ONE, OTHER}
    return made


async def ask(gateway: Gateway, key: str | None, *texts: str) -> tuple[Reply, Facts]:
    return await gateway.ask("embeddings", orjson.dumps({"model": MODEL, "input": list(texts)}), key)


async def test_the_callers_key_is_sent_instead_of_the_backends() -> None:
    made = gateway()
    await ask(made, ONE, "a")
    await ask(made, OTHER, "b")
    assert made.upstream.presented == [ONE, OTHER]
    assert KEY not in made.upstream.presented


@pytest.mark.parametrize("scope", [CacheScope.TENANT, CacheScope.ORG, CacheScope.SHARED])
async def test_what_a_key_paid_for_is_found_by_that_key_alone(scope: CacheScope) -> None:
    made = gateway(cache=Cache(scope=scope))
    for key in (ONE, OTHER, ONE, OTHER):
        await ask(made, key, "a")
    assert made.upstream.presented == [ONE, OTHER]
    with pytest.raises(GatewayError):
        await ask(made, "nobodys-key", "a")


async def test_a_cache_that_is_off_stays_off() -> None:
    made = gateway(cache=Cache(scope=CacheScope.OFF))
    await ask(made, ONE, "a")
    await ask(made, ONE, "a")
    assert made.upstream.presented == [ONE, ONE]


async def test_equal_inputs_in_flight_are_each_asked_with_their_own_key() -> None:
    made = gateway()
    gate = asyncio.Event()
    made.upstream.faults.extend([Fault(gate=gate), Fault(gate=gate)])
    running = [asyncio.create_task(ask(made, key, "a")) for key in (ONE, OTHER, ONE)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*running)
    assert sorted(made.upstream.presented) == sorted([ONE, OTHER])


async def test_metrics_and_logs_have_one_name_for_all_and_the_keys_id() -> None:
    made = gateway()
    _, facts = await ask(made, ONE, "a")
    assert (facts.tenant, facts.tier, len(facts.key_id)) == ("passthrough", "small", 12)
    assert ONE not in repr(facts)


async def test_limits_are_each_keys_own() -> None:
    made = gateway()
    for number in range(10):
        await ask(made, ONE, str(number))
    with pytest.raises(GatewayError) as raised:
        await ask(made, ONE, "10")
    assert raised.value.code is Code.RATE_REQUEST_LIMIT_EXCEEDED
    await ask(made, OTHER, "10")


async def test_a_key_that_the_api_does_not_know_is_401_and_counts_as_a_failure() -> None:
    made = gateway(limits=LimitSettings(ip_failures_per_minute=2))
    codes = []
    for number in range(3):
        with pytest.raises(GatewayError) as raised:
            await ask(made, "nobodys-key", str(number))
        codes.append(raised.value.code)
    assert codes == [Code.AUTH_INVALID_API_KEY] * 2 + [Code.RATE_IP_LIMIT_EXCEEDED]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, b"", Code.AUTH_INVALID_API_KEY),
        (403, b'{"code": "AUTHZ_INSUFFICIENT_BALANCE"}', Code.AUTHZ_INSUFFICIENT_BALANCE),
        (403, b'{"code": ["AUTHZ"]}', Code.SERVICE_UNAVAILABLE),
        (404, b"<html>", Code.SERVICE_UNAVAILABLE),
    ],
)
async def test_what_is_wrong_with_a_key_its_owner_is_told(status: int, body: bytes, code: Code) -> None:
    made = gateway()
    made.upstream.faults.append(Fault(status, body))
    with pytest.raises(GatewayError) as raised:
        await ask(made, ONE, "a")
    assert raised.value.code is code


async def test_without_a_key_nobody_is_asked() -> None:
    made = gateway()
    with pytest.raises(GatewayError) as raised:
        await ask(made, None, "a")
    assert raised.value.code is Code.AUTH_MISSING_API_KEY
    assert not made.upstream.calls


@pytest.mark.parametrize(("name", "passed"), [("jina", True), ("own", False)])
async def test_a_backend_of_another_kind_never_sees_the_callers_key(name: str, *, passed: bool) -> None:
    backends = {
        "jina": Backend(dialect="jina", url="http://upstream", key=KEY),
        "own": Backend(dialect="tei", url="http://own", key="key-of-own"),
    }
    made = gateway(backends=backends, models={"m": ModelEntry(backend=name, dimensions=4)})
    snapshot = made.pipeline.snapshot

    async def arrived(_: object) -> None:
        raise AssertionError

    job: Any = None
    caller: Any = None
    order = Order(snapshot, snapshot.served["m"], job, caller, 0.0, len, arrived, passed=ONE)
    assert order.of_the_caller(order.served.routes[0]) is passed
    assert ONE not in repr(order)

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from fakes.jina_upstream import KEY, Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

V3 = "jina-embeddings-v3"
FIRST, SECOND = "jina_" + "f" * 60, "jina_" + "g" * 60
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}", retries: 0{more}}}}}
tenants: {{first: {{tier: tier2, keys: ["{first}"]}}, second: {{tier: tier2, keys: ["{second}"], queue_timeout: 2}}}}
"""


def config(url: str, more: str = "") -> str:
    return CONFIG.format(url=url, key=KEY, more=more, first=FIRST, second=SECOND)


def refusals(number: int, retry_after: int) -> list[Fault]:
    return [Fault(429, b'{"detail": "slow down"}', {"Retry-After": str(retry_after)}) for _ in range(number)]


async def metric(gateway: Gateway, name: str) -> float:
    text = (await gateway.get("/metrics")).body.decode()
    return sum(float(value) for value in re.findall(rf"(?m)^{name}(?:{{.*}})? (\S+)$", text))


@pytest.mark.parametrize("more", ["", ", limits: {rpm: 100, tpm: 1000000, concurrency: 4}"], ids=["free", "limited"])
async def test_the_upstreams_429_is_obeyed_and_hidden(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str, more: str
) -> None:
    gateway = await launch(config(upstream_url, more), key=FIRST)
    upstream.faults.extend(refusals(2, 1))
    answer = await gateway.embed("hidden", model=V3)
    assert answer.status == 200, answer.json
    assert len(upstream.calls) == 3
    assert await metric(gateway, "gateway_upstream_paused_total") == 2
    assert await metric(gateway, "gateway_upstream_queue_seconds_sum") == pytest.approx(2.0, abs=0.9)
    assert await metric(gateway, "gateway_upstream_queue_length") == 0


async def test_a_429_for_longer_than_a_call_may_wait_is_a_503_with_that_time(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str
) -> None:
    gateway = await launch(config(upstream_url, ", limits: {rpm: 100}"), key=FIRST, workers=2)
    upstream.faults.extend(refusals(1, 40))
    answer = await gateway.embed("told", model=V3)
    assert answer.failure == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "40"
    assert "slow down" not in answer.body.decode()
    for number in range(6):  # either worker knows
        again = await gateway.embed(f"still {number}", model=V3)
        assert again.failure == (503, "SERVICE_UNAVAILABLE")
        assert 30 < int(again.headers["Retry-After"]) <= 40
    assert len(upstream.calls) == 1


async def test_workers_together_send_no_more_than_the_key_may_and_queue_the_rest(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str
) -> None:
    gateway = await launch(
        config(upstream_url, ", limits: {rpm: 6, concurrency: 2}, batch: false"), key=SECOND, workers=2
    )
    answers = await asyncio.gather(*(gateway.embed(f"call {number}", model=V3) for number in range(20)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200] * 6 + [503] * 14
    assert len(upstream.calls) == 6
    assert all("Retry-After" in answer.headers for answer in answers if answer.status == 503)

"""Clients that go away: what was not sent for them is not sent; what was sent is kept and attributed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from fakes.jina_upstream import KEY, Fault
from fakes.running_gateway import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

V3 = "jina-embeddings-v3"
TENANT_KEY = "key-of-the-tenant"
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}", concurrency: 1, batch: false}}}}
tiers: {{open: {{rpm: 1000, concurrency: 2}}}}
tenants: {{one: {{tier: open, keys: [{tenant}]}}}}
"""


async def impatient(gateway: Gateway, text: str) -> tuple[aiohttp.ClientSession, asyncio.Task[aiohttp.ClientResponse]]:
    """A call whose connection is closed with its session."""
    http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {TENANT_KEY}"})
    body = {"model": V3, "input": [text]}
    return http, asyncio.ensure_future(http.post(f"{gateway.url}/v1/embeddings", json=body))


async def hang_up(http: aiohttp.ClientSession, call: asyncio.Task[aiohttp.ClientResponse]) -> None:
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await http.close()


async def closed(gateway: Gateway) -> bool:
    return 'status="499"' in (await gateway.get("/metrics")).body.decode()


async def test_what_was_not_sent_for_a_client_that_is_gone_is_not_sent(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str
) -> None:
    gateway = await launch(CONFIG.format(url=upstream_url, key=KEY, tenant=TENANT_KEY), key=TENANT_KEY)
    assert (await gateway.embed("known", model=V3)).status == 200
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))
    holds = asyncio.ensure_future(gateway.embed("holds the only place", model=V3))
    await until(lambda: taken(upstream))
    gone = await impatient(gateway, "waits in the queue")
    await until(lambda: busy(gateway))
    await hang_up(*gone)
    await until(lambda: closed(gateway))
    gate.set()
    assert (await holds).status == 200
    assert (await gateway.embed("afterwards", model=V3)).status == 200
    assert "waits in the queue" not in upstream.inputs


async def test_what_was_sent_is_kept_for_the_next_who_asks(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str
) -> None:
    gateway = await launch(CONFIG.format(url=upstream_url, key=KEY, tenant=TENANT_KEY), key=TENANT_KEY)
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))
    gone = await impatient(gateway, "on its way")
    await until(lambda: taken(upstream))
    await hang_up(*gone)
    gate.set()
    again = await gateway.embed("on its way", model=V3)
    assert again.status == 200
    assert upstream.inputs.count("on its way") == 1


async def taken(upstream: Upstream) -> bool:
    """Whether the upstream has the call."""
    return not upstream.faults


async def busy(gateway: Gateway) -> bool:
    """Whether both places of the tenant are taken: then what is stored is refused, too."""
    return (await gateway.embed("known", model=V3)).status == 429

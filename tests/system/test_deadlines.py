from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from fakes.jina_upstream import KEY, Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

OWN, TENANT = "jina_" + "h" * 60, "jina_" + "t" * 60

CONFIG = f"""
server: {{{{timeout: 20}}}}
backends: {{{{jina: {{{{dialect: jina, url: {{url}}, key: "{KEY}"}}}}}}}}
tenants: {{{{patient: {{{{tier: tier2, keys: ["{OWN}"]}}}},
           hasty: {{{{tier: tier2, keys: ["{TENANT}"], timeout: 0.7}}}}}}}}
"""


async def test_a_call_ends_when_its_client_said_else_when_its_tenants_time_is_up(
    launch: Callable[..., Awaitable[Gateway]], upstream: Upstream, upstream_url: str
) -> None:
    gateway = await launch(CONFIG.format(url=upstream_url), key=OWN)
    gate = asyncio.Event()
    upstream.faults.extend([Fault(gate=gate)] * 4)
    body = {"model": "jina-embeddings-v3", "input": ["late"]}
    began = time.monotonic()
    cases = {
        "0.5": gateway.post("/v1/embeddings", body, X_Request_Timeout="0.5"),
        "0.6": gateway.post("/v1/embeddings", body, X_Request_Timeout="0.6", Cache_Control="no-store"),
        "0.7": gateway.post("/v1/embeddings", body, TENANT, Cache_Control="no-store"),
        "0.8": gateway.post("/v1/embeddings", body, TENANT, X_Request_Timeout="0.8", Cache_Control="no-store"),
    }
    for seconds, answer in zip(cases, await asyncio.gather(*cases.values()), strict=True):
        assert answer.failure == (504, "SERVICE_TIMEOUT")
        assert answer.json["detail"] == f"Request timed out after {seconds} seconds"
    assert time.monotonic() - began < 20
    gate.set()
    refused = await gateway.post("/v1/embeddings", body, X_Request_Timeout="soon")
    assert refused.failure == (422, "INPUT_INVALID")
    again = await gateway.post("/v1/embeddings", body, X_Request_Timeout="3600")
    assert again.status == 200

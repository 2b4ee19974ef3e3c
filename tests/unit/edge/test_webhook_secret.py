from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fakes.gateway import SEARCH_KEY

from gateway.notify.addresses import shown_key, tenant_key

if TYPE_CHECKING:
    import aiohttp


async def test_a_tenant_is_told_its_own(served: Any, client: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {SEARCH_KEY}"}
    async with client.get(served.url + "/v1/webhook-secret", headers=headers) as response:
        secret = shown_key(tenant_key("search", served.gateway.pipeline.snapshot.secret))
        assert (response.status, await response.json()) == (200, {"secret": secret})
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "key", "status"), [("GET", "", 401), ("GET", "nobodys-key", 401), ("POST", SEARCH_KEY, 405)]
)
async def test_nobody_else_is(served: Any, client: aiohttp.ClientSession, method: str, key: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with client.request(method, served.url + "/v1/webhook-secret", headers=headers) as response:
        assert response.status == status
        assert "whsec" not in await response.text()

from __future__ import annotations

from gateway.endpoints import ENDPOINTS
from gateway.endpoints.endpoint import Endpoint


def test_every_endpoint_has_a_name_of_its_own() -> None:
    endpoints: tuple[Endpoint, ...] = ENDPOINTS
    assert sorted(endpoint.name for endpoint in endpoints) == ["embeddings", "rerank"]

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fakes.gateway import SEARCH_KEY

from gateway.config.schema import Server

if TYPE_CHECKING:
    import aiohttp

    from gateway.vocabulary import Json

KEY = {"Authorization": f"Bearer {SEARCH_KEY}"}
COHERE = {"X-Fern-SDK-Name": "cohere"}
JSON = {"Content-Type": "application/json"}
V3, RANKER = "jina-embeddings-v3", "jina-reranker-v2-base-multilingual"
TEXTS = ["one text", "another text"]
EMBED: list[tuple[str, Json]] = [
    ("/v1/embeddings", {"model": V3, "input": TEXTS}),
    ("/v2/embed", {"model": V3, "texts": TEXTS}),
    ("/v1/embed", {"model": V3, "texts": TEXTS}),
    ("/embed", {"inputs": TEXTS}),
]
RERANK: list[tuple[str, Json]] = [
    ("/v1/rerank", {"model": RANKER, "query": "q", "documents": TEXTS}),
    ("/v2/rerank", {"model": RANKER, "query": "q", "documents": TEXTS}),
    ("/rerank", {"query": "q", "texts": TEXTS}),
]


@pytest.fixture
def server_settings() -> Server:
    return Server(default_models={"embeddings": V3, "rerank": RANKER}, body_limit=10_000)


@pytest.mark.parametrize("calls", [EMBED, RERANK], ids=["embed", "rerank"])
async def test_all_dialects_share_answers_limits_and_the_ledger(
    served: Any, client: aiohttp.ClientSession, calls: list[tuple[str, Json]]
) -> None:
    for path, body in calls:
        async with client.post(served.url + path, json=body, headers=KEY) as response:
            assert response.status == 200, await response.text()
            hits = response.headers["X-Gateway-Cache-Hits"]
            assert hits == ("0" if path == calls[0][0] else "2")
            assert "X-RateLimit-Remaining-Requests" in response.headers
    assert len(served.gateway.upstream.calls) == 1
    name = "embeddings" if calls is EMBED else "rerank"
    assert [facts.endpoint for facts in served.gateway.counted] == [name] * len(calls)
    assert served.gateway.used("search").requests == len(calls)


async def test_coheres_own_clients_get_their_shape_at_the_shared_path(
    served: Any, client: aiohttp.ClientSession
) -> None:
    path, body = RERANK[0]
    async with client.post(served.url + path, json=body, headers=KEY) as response:
        assert set(await response.json()) == {"model", "object", "usage", "results"}
    async with client.post(served.url + path, json=body, headers=KEY | COHERE) as response:
        reply = await response.json()
        assert set(reply) == {"id", "results", "meta"}
        assert reply["id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("path", "extra"),
    [
        ("/v2/embed", {"message"}),
        ("/v2/rerank", {"message"}),
        ("/embed", {"error", "error_type"}),
        ("/rerank", {"error", "error_type"}),
        ("/v1/multi-vector", {"error"}),
    ],
)
async def test_failures_are_ours_and_the_dialects(
    served: Any, client: aiohttp.ClientSession, path: str, extra: set[str]
) -> None:
    rows = [(KEY, b"{}", 422, "INPUT_INVALID"), ({}, b"{}", 401, "AUTH_MISSING_API_KEY")]
    rows += [(KEY, b" " * 10_001, 413, "INPUT_TOO_LARGE")]
    for headers, body, status, code in rows:
        async with client.post(served.url + path, data=body, headers=headers | JSON) as response:
            reply = await response.json(content_type="application/json")
            assert (response.status, reply["code"]) == (status, code)
            assert set(reply) == {"detail", "code", "request_id"} | extra | ({"errors"} if status == 422 else set())
            assert reply["request_id"] == response.headers["X-Request-Id"]
            if extra == {"error", "error_type"}:
                assert (reply["error"], isinstance(reply["error_type"], str)) == (reply["detail"], True)
            if extra == {"message"}:
                assert reply["message"] == reply["detail"]
    async with client.get(served.url + path, headers=KEY) as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")


async def test_a_list_is_whole_or_refused(served: Any, client: aiohttp.ClientSession) -> None:
    """A bare list has no place for what is left out, so nothing is, whatever a header allows."""
    served.gateway.upstream.bad.add(TEXTS[1])
    partial = KEY | {"X-Gateway-Partial": "allow"}
    for (path, body), status in zip(EMBED, (200, 422, 422, 422), strict=True):
        async with client.post(served.url + path, json=body, headers=partial) as response:
            assert response.status == status, path
    async with client.post(served.url + RERANK[0][0], json=RERANK[0][1], headers=partial | COHERE) as response:
        assert response.status == 422


async def test_info_needs_no_key(served: Any, client: aiohttp.ClientSession) -> None:
    async with client.get(served.url + "/info") as response:
        assert (response.status, (await response.json())["model_id"]) == (200, f"jina-ai/{V3}")
    async with client.post(served.url + "/info") as response:
        assert response.status == 405


class TestUnclear:
    @pytest.fixture
    def server_settings(self) -> Server:
        return Server()

    async def test_the_setting_is_named(self, served: Any, client: aiohttp.ClientSession) -> None:
        async with client.post(served.url + "/embed", json={"inputs": "a"}, headers=KEY) as response:
            assert response.status == 422
            assert "server.default_models.embeddings" in (await response.json())["error"]
        async with client.get(served.url + "/info") as response:
            assert response.status == 422

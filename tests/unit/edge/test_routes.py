from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from gateway.edge.server import Edge

if TYPE_CHECKING:
    import aiohttp

    from gateway.vocabulary import Facts


class _Named:
    """Answers with its own name, and with a stream that begins at once."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def answer(self, request: web.BaseRequest, facts: Facts) -> web.StreamResponse:
        response = web.StreamResponse(headers={"X-Request-Id": f"own-{facts.request_id}"})
        await response.prepare(request)
        await response.write(self.name.encode())
        await response.write_eof()
        return response


@pytest.mark.parametrize(
    ("path", "answered"),
    [
        ("/a", "exact"),
        ("/a/b", "below"),
        ("/a/b/", "below"),
        ("/a/c/d", "further below"),
        ("/a/c/", "further below"),
        ("/a/c", "below"),
    ],
)
async def test_a_route_is_found_by_its_path_else_by_the_longest_beginning(
    served: Any, client: aiohttp.ClientSession, path: str, answered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = {"/a": _Named("exact"), "/a/": _Named("below"), "/a/c/": _Named("further below")}
    edge = served.edge
    monkeypatch.setattr(
        served.http,
        "request_handler",
        Edge(edge._pipeline, edge._operations, edge._usage, edge._clock, edge._observer, routes=routes).answer,
    )
    async with client.get(f"{served.url}{path}", headers={"X-Request-Id": "mine"}) as answer:
        assert (await answer.text(), answer.headers.getall("X-Request-Id")) == (answered, ["own-mine"])


@pytest.mark.parametrize("path", ["/", "/a", "/v1/", "/v1/segment/"])
async def test_what_no_route_begins_is_not_found(served: Any, client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(f"{served.url}{path}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "RESOURCE_NOT_FOUND")

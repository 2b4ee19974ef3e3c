from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.gateway import SEARCH_KEY

from gateway.edge import pieces
from gateway.edge.pieces import Pieces
from gateway.endpoints import embeddings_reply
from gateway.endpoints.embeddings import Embeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    import aiohttp

    from gateway.vocabulary import Answer, Job

BODY = orjson.dumps({"model": "jina-embeddings-v3", "input": ["one", "two", "three"]})
KEY = {"Authorization": f"Bearer {SEARCH_KEY}", "Content-Type": "application/json"}
OWN_WAY = {"X-Gateway-Partial": "refuse"}
"""Keeps a call off the way of those whose form is known, see test_listed_calls."""


class Making:
    """How many pieces were made, and whether the making has ended."""

    def __init__(self) -> None:
        self.count = 0
        self.ended = asyncio.Event()

    def endless(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None]:
        try:
            yield from embeddings_reply.pieces(job, answers)
            while self.count < 10_000:
                self.count += 1
                yield b" " * 65_536
        finally:
            self.ended.set()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Making:
    """Every answer is large, and has more behind it than anybody takes."""
    making = Making()
    monkeypatch.setattr(Embeddings, "stream", making.endless)
    return making


async def begun(served: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A call whose client has read the first line of the answer."""
    reader, writer = await asyncio.open_connection(*served.address, limit=1_024)
    head = "".join(f"{name}: {value}\r\n" for name, value in KEY.items())
    writer.write(
        f"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    return reader, writer


async def test_a_large_answer_is_that_of_a_small_one(
    served: Any, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies, framing = [], []
    for least in (embeddings_reply.LARGE_BYTES, -1):
        monkeypatch.setattr(embeddings_reply, "LARGE_BYTES", least)
        async with client.post(served.url + "/v1/embeddings", data=BODY, headers=KEY | OWN_WAY) as response:
            bodies.append(await response.read())
            framing.append(response.headers.get("Transfer-Encoding"))
            assert response.headers["Content-Type"] == "application/json"
            assert response.headers["X-Request-Id"]
    assert bodies[0] == bodies[1]
    assert framing == [None, "chunked"]


async def test_a_client_of_http_1_0_reads_to_the_end(
    served: Any, raw: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings_reply, "LARGE_BYTES", -1)
    head = "".join(f"{name}: {value}\r\n" for name, value in KEY.items())
    request = f"POST /v1/embeddings HTTP/1.0\r\nHost: a\r\n{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    answer = await asyncio.to_thread(raw, request)
    assert len(orjson.loads(answer.partition(b"\r\n\r\n")[2])["data"]) == 3
    assert served


async def test_nothing_is_made_ahead_and_nothing_for_who_hangs_up(served: Any, made: Making) -> None:
    _, writer = await begun(served)
    assert served.gateway.used("search").slots == 0
    before = -1
    while made.count != before:  # until the sockets' buffers are full
        before = made.count
        await asyncio.sleep(0.05)
    assert 0 < before < 1_000
    writer.transport.abort()
    async with asyncio.timeout(10):
        await made.ended.wait()
    assert made.count <= before + 1


async def test_who_takes_nothing_is_cut_off(served: Any, made: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "STALLED_SECONDS", 0.05)
    reader, writer = await begun(served)
    async with asyncio.timeout(10):
        await made.ended.wait()
    assert 0 < made.count < 1_000
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(10_000 * 65_536)
    writer.close()


def test_it_has_no_text() -> None:
    with pytest.raises(TypeError):
        Pieces((piece for piece in (b"",)), None).decode()

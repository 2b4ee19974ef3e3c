from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.gateway import SEARCH_KEY

from gateway.config.schema import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

HEAD = f"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {SEARCH_KEY}\r\n".encode()
BODY = b'{"model": "jina-embeddings-v3", "input": "a"}'
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
RECEIVE, IDLE = 0.4, 0.8
PATIENCE = 10.0


@pytest.fixture
def server_settings() -> Server:
    return Server(body_limit=100_000, receive_timeout=RECEIVE, keepalive_timeout=IDLE, connections=3)


@pytest.fixture
async def connect(served: Any) -> AsyncIterator[Any]:
    writers = []

    async def opened() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*served.address)
        writers.append(writer)
        return reader, writer

    yield opened
    for writer in writers:
        writer.transport.abort()


def drip(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        yield data[at : at + 1]


async def said(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed, which happens; by a reset, if its client goes on sending."""
    answer = b""
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                answer += chunk
    return answer


async def sent(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], parts: Iterator[bytes]) -> bytes:
    """What the gateway says while each part is sent after a pause, until it closes."""
    reader, writer = connection
    answer = asyncio.ensure_future(said(reader))
    for part in parts:
        if answer.done():
            break
        writer.write(part)
        await asyncio.wait({answer}, timeout=RECEIVE / 10)
    return await answer


SLOW = [
    ("head byte by byte", lambda: drip(b"GET /health HTTP/1.1\r\nX-Long: " + b"a" * 1_000)),
    ("head never ended", lambda: iter([HEAD])),
    ("nothing after accept", lambda: iter([])),
    ("a second head byte by byte", lambda: iter([WHOLE, *drip(HEAD * 3)])),
    ("body byte by byte", lambda: iter([HEAD, b"Content-Length: 5000\r\n\r\n", *drip(b" " * 1_000)])),
    ("chunks byte by byte", lambda: iter([HEAD, b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n"] * 1_000])),
    ("body never ended", lambda: iter([HEAD + b"Content-Length: 5000\r\n\r\n", b"{"])),
]


BODIES = [row[1] for row in SLOW[4:]]


def closed(served: Any) -> dict[str, int]:
    """How many connections were closed from here, by reason."""
    return {reason: count for reason, count in served.http.deadlines.closed.items() if count}


@pytest.mark.parametrize("parts", [row[1] for row in SLOW], ids=[row[0] for row in SLOW])
async def test_a_request_that_does_not_arrive_is_a_408_and_the_connection_is_closed(
    served: Any, connect: Any, parts: Any
) -> None:
    answers = await sent(await connect(), parts())
    head, _, body = answers[answers.rindex(b"HTTP/1.1") :].partition(b"\r\n\r\n")
    assert head.split()[1] == b"408"
    assert b"\r\nConnection: close" in head
    content = orjson.loads(body)
    assert (content["code"], content["detail"]) == ("INPUT_TIMEOUT", "The request did not arrive within 0.4 seconds")
    assert f"X-Request-Id: {content['request_id']}".encode() in head
    assert answers.count(b"HTTP/1.1") == 1 + (parts is SLOW[3][1])
    # Whose body is late has a request, which is counted and logged as such.
    assert closed(served) == ({} if parts in BODIES else {"late": 1})


async def test_an_idle_connection_is_closed_without_a_word(served: Any, connect: Any) -> None:
    reader, writer = await connect()
    writer.write(WHOLE)
    answer = await said(reader)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"HTTP/1.1 200" in answer
    assert closed(served) == {"idle": 1}


async def test_a_body_with_a_pause_in_it_that_goes_on_in_time_is_taken(connect: Any) -> None:
    long = BODY + b" " * 10_000
    pieces = [long[at : at + 1_000] for at in range(0, len(long), 1_000)]
    answer = await sent(await connect(), iter([HEAD, b"Content-Length: %d\r\n\r\n" % len(long), *pieces]))
    assert b"HTTP/1.1 200" in answer


async def test_one_connection_too_many_is_told_so(served: Any, connect: Any) -> None:
    kept = [await connect() for _ in range(3)]
    for reader, writer in kept:  # they are accepted when they have an answer
        writer.write(WHOLE)
        await reader.readuntil(b"\r\n\r\n")
    reader, _ = await connect()
    head, _, body = (await said(reader)).partition(b"\r\n\r\n")
    assert head.split()[1] == b"503"
    assert orjson.loads(body)["code"] == "SERVICE_UNAVAILABLE"
    assert closed(served) == {"too_many": 1}
    kept[0][1].close()
    await kept[0][0].read()

    async def taken() -> bool:
        fresh, writer = await connect()
        writer.write(WHOLE)
        return b" 200 " in await fresh.readline()

    deadline = time.monotonic() + PATIENCE
    while not await taken():
        assert time.monotonic() < deadline


async def test_a_client_that_does_not_take_its_answer_is_cut_off(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def large(_: object) -> object:
        from aiohttp import web  # noqa: PLC0415 - a fake's answer

        return web.Response(body=b"x" * 20_000_000)

    monkeypatch.setattr(served.http, "request_handler", large)
    loop = asyncio.get_running_loop()
    with socket.create_connection(served.address) as client:
        client.settimeout(0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await loop.sock_sendall(client, WHOLE)
        deadline = time.monotonic() + PATIENCE
        for there in (True, False):
            while bool(served.http.connections) is not there:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
    assert closed(served) == {"stuck": 1}

"""What our lean client and aiohttp's do with the same servers, friendly and hostile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Self, TypeAlias

import pytest

from gateway.config.backends import Backend
from gateway.errors import TransportError
from gateway.ports import Exchange
from gateway.upstream import Upstream

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Script: TypeAlias = Callable[["Server", Reader, Writer], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\n"
POST = Exchange("POST", "/v1/x?a=%41b", b"{}", {"content-type": "application/json", "authorization": "Bearer k"})
GET = Exchange("GET", "/v1/x")
SECONDS = 5.0
IN_TIME = 0.1


class Server:
    """Answers each request with what is next of `answers`; the last one again and again. None: it never answers."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.ended = asyncio.Event()
        self.url = ""
        self.closes = False
        self.drips = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = "http://{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._answer_all(reader, writer)
        finally:
            self.ended.set()
            writer.close()

    async def _answer_all(self, reader: Reader, writer: Writer) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            self.heads.append(head)
            self.bodies.append(await reader.readexactly(int(lengths[0].partition(b":")[2])) if lengths else b"")
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                await reader.read()
                return
            pieces = [answer[at : at + 1] for at in range(len(answer))] if self.drips else [answer]
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if self.closes:
                return


@pytest.fixture(params=["lean", "aiohttp"])
async def clients(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[Server], Upstream]]:
    made: list[Upstream] = []

    def client(server: Server, concurrency: int = 64) -> Upstream:
        backend = Backend(dialect="jina", url=server.url, concurrency=concurrency)
        made.append(Upstream({"there": backend}, lean=request.param == "lean"))
        return made[-1]

    yield client
    for upstream in made:
        await upstream.close()


Clients: TypeAlias = Callable[[Server], Upstream]

ANSWERED = {
    "a length": (OK + b"Content-Length: 2\r\nX-A: b\r\n\r\nab", b"ab"),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1;x\r\nb\r\n0\r\n\r\n", b"ab"),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx: y\r\n\r\n", b"ab"),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\na: b\r\n\r\n" + OK + b"content-length: 1\r\n\r\nc",
        b"c",
    ),
    "two answers at once": ((OK + b"content-length: 1\r\n\r\na") + (OK + b"content-length: 1\r\n\r\nb"), b"a"),
}


@pytest.mark.parametrize("drips", [False, True])
@pytest.mark.parametrize("name", ANSWERED)
async def test_answers(clients: Clients, name: str, drips: bool) -> None:  # noqa: FBT001 - a table
    answer, body = ANSWERED[name]
    async with Server(answer) as server:
        server.drips = drips
        upstream = clients(server)
        for _ in range(3):  # what one answer leaves behind must not be the next one's
            reply = await upstream.send("there", POST, SECONDS)
            assert (reply.status, reply.body) == (200, body)
        assert server.bodies == [b"{}"] * 3
        heads = [dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2]) for head in server.heads]
        assert server.heads[0].startswith(b"POST /v1/x?a=Ab HTTP/1.1\r\n")
        assert heads[0] == {
            b"host": server.url.removeprefix("http://").encode(),
            b"content-length": b"2",
            b"accept": b"*/*",
            b"content-type": b"application/json",
            b"authorization": b"bearer k",
            b"user-agent": b"gateway",
            b"accept-encoding": b"identity",
        }


async def test_an_answer_that_ends_with_its_connection(clients: Clients) -> None:
    async with Server(OK + b"a: b\r\n\r\nabc") as server:
        server.closes = True
        reply = await clients(server).send("there", POST, SECONDS)
        assert (reply.body, reply.headers["a"]) == (b"abc", "b")


BROKEN = {
    "nothing": b"",
    "garbage": b"\x16\x03\x01 garbage \r\n\r\n",
    "half a head": OK + b"content-le",
    "half a body": OK + b"content-length: 9\r\n\r\nabc",
    "half a chunk": OK + b"transfer-encoding: chunked\r\n\r\n5\r\nab",
    "no last chunk": OK + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n",
    "a chunk without a size": OK + b"transfer-encoding: chunked\r\n\r\nxyz\r\na\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "a length that is none": OK + b"content-length: abc\r\n\r\nabc",
    "huge headers": OK + b"a: " + b"b" * 100_000 + b"\r\n\r\n",
    "many headers": OK + b"a: b\r\n" * 20_000 + b"\r\n",
    "no gzip": OK + b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_answer_is_a_broken_connection(clients: Clients, name: str) -> None:
    async with Server(BROKEN[name]) as server:
        server.closes = True
        with pytest.raises(TransportError) as raised:
            await clients(server).send("there", POST, SECONDS)
        assert (raised.value.timed_out, raised.value.sent) == (False, True)
        assert len(server.bodies) == 1, "what may have been billed is not sent again"


@pytest.mark.parametrize("start", [None, OK + b"content-length: 9\r\n\r\nabc", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_no_whole_answer_in_time(clients: Clients, start: bytes | None) -> None:
    async with Server(start) as server:
        with pytest.raises(TransportError) as raised:
            await clients(server).send("there", POST, IN_TIME)
        assert raised.value.timed_out
        await asyncio.wait_for(server.ended.wait(), SECONDS)  # the connection is not used again


async def test_a_call_that_is_cancelled_ends_its_connection(clients: Clients) -> None:
    async with Server(None) as server:
        upstream = clients(server)
        call = asyncio.ensure_future(upstream.send("there", POST, SECONDS))
        while not server.bodies:  # noqa: ASYNC110 - the other end says when
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(server.ended.wait(), SECONDS)


@pytest.mark.parametrize(("exchange", "again"), [(GET, True), (POST, False)])
async def test_a_kept_connection_that_has_ended(clients: Clients, exchange: Exchange, again: bool) -> None:  # noqa: FBT001 - a table
    async with Server(OK + b"content-length: 1\r\n\r\na", b"", OK + b"content-length: 1\r\n\r\nb") as server:
        upstream = clients(server)
        assert (await upstream.send("there", exchange, SECONDS)).body == b"a"
        server.closes = True  # after the next, which has no answer
        if again:
            assert (await upstream.send("there", exchange, SECONDS)).body == b"b"
        else:
            with pytest.raises(TransportError) as raised:
                await upstream.send("there", exchange, SECONDS)
            assert raised.value.sent
        assert len(server.heads) == 3 if again else 2


async def test_connections_serve_one_call_after_the_other(clients: Clients) -> None:
    async with Server(OK + b"content-length: 1\r\n\r\na") as server:
        upstream = clients(server)
        for _ in range(5):
            await upstream.send("there", POST, SECONDS)
        assert server.connections == 1
        await asyncio.gather(*[upstream.send("there", POST, SECONDS) for _ in range(10)])
        assert server.connections <= 10


async def test_a_large_request_arrives_whole(clients: Clients) -> None:
    body = bytes(range(256)) * 4_000
    async with Server(OK + b"content-length: 1\r\n\r\na") as server:
        await clients(server).send("there", Exchange("POST", "/", body), SECONDS)
        assert server.bodies == [body]


async def test_a_header_of_two_lines_is_sent_to_nobody(clients: Clients) -> None:
    async with Server(OK + b"content-length: 1\r\n\r\na") as server:
        with pytest.raises(ValueError, match=r"[Nn]ewline|control"):
            await clients(server).send("there", Exchange("GET", "/", b"", {"x": "y\r\nz: 1"}), SECONDS)
        assert server.heads == []


async def test_a_redirect_is_an_answer(clients: Clients) -> None:
    async with Server(b"HTTP/1.1 302 X\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n") as server:
        assert (await clients(server).send("there", GET, SECONDS)).status == 302
        assert len(server.heads) == 1

"""What both, the fake and the real one over a socket, do with the same answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock
from fakes.streaming_upstream import StreamingUpstream, streaming_upstream
from fakes.streams import FakeStream, FakeStreams

from gateway.errors import TransportError
from gateway.ports import Exchange, Stream, StreamingTransport
from gateway.streams import Streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POST = Exchange("POST", "/v1/x/https://a.example//b/../c?d=%41", b"{}", {"content-type": "application/json"})


class Side:
    """A transport, and the other end: `step` makes it send bytes, break off ("abort") or end (None)."""

    transport: StreamingTransport
    base: str

    async def opened(self) -> Stream:
        raise NotImplementedError

    def step(self, step: bytes | str | None) -> None:
        raise NotImplementedError

    async def gone(self) -> None:
        raise NotImplementedError


class Fake(Side):
    def __init__(self) -> None:
        self.streams = FakeStreams()
        self.transport, self.base = self.streams, "http://fake"
        self.stream = FakeStream(FakeClock(), 200, {"content-type": "text/plain"}, [])

    async def opened(self) -> Stream:
        self.streams.answers.append(self.stream)
        return await self.transport.open(self.base, POST, 5.0)

    def step(self, step: bytes | str | None) -> None:
        if isinstance(step, str):
            self.stream.left.append(TransportError("scripted"))
        elif step is not None:
            self.stream.left.append(step)

    async def gone(self) -> None:
        await self.stream.gone.wait()


class Real(Side):
    def __init__(self, upstream: StreamingUpstream, streams: Streams) -> None:
        self.upstream = upstream
        self.transport, self.base = streams, upstream.url

    async def opened(self) -> Stream:
        opening = asyncio.ensure_future(self.transport.open(self.base, POST, 5.0))
        self.call = await self.upstream.asked.get()
        assert (self.call.method, self.call.path, self.call.body) == ("POST", POST.path, b"{}")
        self.call.kind = {"Content-Type": "text/plain"}
        self.step(b"first")
        stream = await opening
        assert await stream.read(5.0) == b"first"
        return stream

    def step(self, step: bytes | str | None) -> None:
        self.call.steps.put_nowait(step)

    async def gone(self) -> None:
        await self.call.gone.wait()


@pytest.fixture(params=["fake", "real"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "fake":
        yield Fake()
        return
    streams = Streams()
    async with streaming_upstream() as upstream:
        yield Real(upstream, streams)
        await streams.close()


async def test_each_piece_is_there_before_the_next_is_sent(side: Side) -> None:
    stream = await side.opened()
    assert (stream.status, stream.headers["content-type"]) == (200, "text/plain")
    for piece in (b"one", b"two"):
        side.step(piece)
        assert await stream.read(5.0) == piece
    side.step(None)
    assert await stream.read(5.0) == b""
    assert await stream.read(5.0) == b""
    stream.close()


async def test_who_closes_early_is_seen_to_go(side: Side) -> None:
    stream = await side.opened()
    stream.close()
    await side.gone()


async def test_an_answer_that_breaks_off_says_so(side: Side) -> None:
    stream = await side.opened()
    side.step("abort")
    with pytest.raises(TransportError) as caught:
        await stream.read(5.0)
    assert caught.value.sent
    stream.close()


class TestSockets:
    """What only sockets can do."""

    @pytest.fixture
    async def streams(self) -> AsyncIterator[Streams]:
        made = Streams()
        yield made
        await made.close()

    async def test_nobody_listens(self, streams: Streams) -> None:
        with pytest.raises(TransportError) as caught:
            await streams.open("http://127.0.0.1:1", POST, 5.0)
        assert not caught.value.sent
        with pytest.raises(TransportError) as caught:
            await streams.open("unix:/nowhere/at/all", POST, 5.0)
        assert not caught.value.sent

    async def test_silence_is_told_from_an_end(self, streams: Streams) -> None:
        async with streaming_upstream() as upstream:
            with pytest.raises(TransportError) as caught:
                await streams.open(upstream.url, POST, 0.01)
            assert caught.value.timed_out
            opening = asyncio.ensure_future(streams.open(upstream.url, POST, 5.0))
            await upstream.asked.get()
            call = await upstream.asked.get()
            call.steps.put_nowait(b"x")
            stream = await opening
            assert await stream.read(5.0) == b"x"
            with pytest.raises(TransportError) as caught:
                await stream.read(0.01)
            assert caught.value.timed_out
            stream.close()

    async def test_redirects_are_not_followed(self, streams: Streams) -> None:
        async with streaming_upstream() as upstream:
            opening = asyncio.ensure_future(streams.open(upstream.url, POST, 5.0))
            call = await upstream.asked.get()
            call.answer(b"", status=302, kind={"Location": "http://169.254.169.254/"})
            stream = await opening
            assert (stream.status, stream.headers["location"]) == (302, "http://169.254.169.254/")
            stream.close()

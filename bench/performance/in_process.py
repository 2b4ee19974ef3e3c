"""One worker's whole App in this process, asked by bytes on a connection that has no socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import orjson
import pybase64
from performance.servers import KEY, gateway_config

from gateway.app.worker import App
from gateway.authenticate import digest
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Config
from gateway.observe.logs import configure
from gateway.ports import RawReply
from gateway.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from gateway.config.snapshot import Snapshot
    from gateway.ports import Exchange

SECRET = b"bench-secret-0123456789"
VECTOR = pybase64.b64encode_as_string(b"\x00\x00\x00\x3d" * 1_024)


def snapshot(folder: Path, **changes: object) -> Snapshot:
    """A configuration with everything on but the one answer in a hundred that is logged, which would be chance."""
    settings = gateway_config(9, observe={"log_sample": 0}, **changes)
    settings["server"]["data_dir"] = str(folder / "data")
    return compile_snapshot(Config.model_validate(settings), secret=SECRET, digest=digest)


async def reply(_: Upstream, __: str, exchange: Exchange, ___: float) -> RawReply:
    """What the upstream would answer: one vector to every text."""
    asked = orjson.loads(exchange.body)
    data = [{"index": at, "embedding": VECTOR} for at in range(len(asked["input"]))]
    usage = {"total_tokens": len(data), "prompt_tokens": len(data)}
    return RawReply(200, {}, orjson.dumps({"model": asked["model"], "data": data, "usage": usage}))


TURNS = 3
"""Of the loop after an answer that took some: until then aiohttp does not wait for the next request, as it would by the
time that a client sends it."""


class Wire(asyncio.Transport):
    """What is written is counted, no more; it is never full."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8_080)})
        self.written = bytearray()
        self._waiting: asyncio.Future[None] | None = None

    async def grown(self) -> None:
        """Wait for more; turning the loop meanwhile would be counted, as often as chance has it."""
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def _grow(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Some bytes of an answer."""
        self.written += data
        self._grow()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """More of them."""
        for data in list_of_data:
            self.written += data
        self._grow()

    def is_closing(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """There is nothing to close."""

    def abort(self) -> None:
        """As close."""

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """As pause_reading."""

    def get_write_buffer_size(self) -> int:
        """All is gone at once."""
        return 0

    def whole(self) -> bool:
        """Whether an answer is complete."""
        head, found, body = self.written.partition(b"\r\n\r\n")
        return bool(found) and len(body) == int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])


class InProcess:
    """An App, and connections to it that stay open."""

    def __init__(self, app: App, connections: int = 1) -> None:
        self.app = app
        self._wires = [Wire() for _ in range(connections)]
        self._protocols = [app._http[0]() for _ in self._wires]  # noqa: SLF001 - the listener's own factory of connections
        for protocol, wire in zip(self._protocols, self._wires, strict=True):
            protocol.connection_made(wire)

    async def ask(self, request: bytes) -> bytes:
        """One request's bytes in, its answer's bytes out."""
        wire = self._wires[0]
        wire.written.clear()
        self._protocols[0].data_received(request)
        if not wire.whole():
            while not wire.whole():
                await wire.grown()
            for _ in range(TURNS):
                await asyncio.sleep(0)
        return bytes(wire.written)

    async def ask_all(self, requests: Sequence[bytes]) -> list[bytes]:
        """The same of as many at once, each over its own connection."""
        wires = self._wires[: len(requests)]
        for wire, protocol, request in zip(wires, self._protocols, requests, strict=False):
            wire.written.clear()
            protocol.data_received(request)
        for wire in wires:
            while not wire.whole():
                await wire.grown()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return [bytes(wire.written) for wire in wires]


@asynccontextmanager
async def running(folder: Path, store_url: str, connections: int = 1, **changes: object) -> AsyncIterator[InProcess]:
    """An App that has its leases but runs no background task, whose work would be chance; its upstream is `reply`.

    `changes` are settings, as `snapshot` takes them.
    """
    compiled = snapshot(folder, **changes)
    configure(compiled.config.observe)
    with patch.object(Upstream, "send", reply):
        app = App(compiled, store_url)
        await app._leases.tick()  # noqa: SLF001 - what App.start does before it listens
        await app._follower.look()  # noqa: SLF001 - as above
        yield InProcess(app, connections)


def request_bytes(body: str, **headers: str) -> bytes:
    """An embeddings call as it goes over the wire."""
    coded = body.encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\n{more}Content-Length: {len(coded)}\r\n\r\n"
    )
    return head.encode() + coded

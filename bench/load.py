"""A closed-loop HTTP/1.1 load: N connections send one fixed request again and again; times the answers."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import uvloop


def content_length(head: bytes) -> int:
    """The body's length that an answer's head promises."""
    return int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])


class Connection(asyncio.Protocol):
    """Sends the next request when the answer before is complete."""

    def __init__(self, request: bytes, times: list[float], deadline: float) -> None:
        self._request = request
        self._times = times
        self._began = 0.0
        self._warm = False
        self._deadline = deadline
        self._missing = 0
        self._transport: asyncio.Transport | None = None
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only
        self._send(time.monotonic())

    def data_received(self, data: bytes) -> None:
        """Count an answer when its Content-Length has come."""
        if self._missing <= 0:
            head, _, body = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode(errors="replace"))
            self._missing = content_length(head) - len(body)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            now = time.monotonic()
            if self._warm:
                self._times.append(now - self._began)
            self._warm = True
            if now < self._deadline:
                self._send(now)
            elif self._transport is not None:
                self._transport.close()

    def _send(self, now: float) -> None:
        assert self._transport is not None
        self._began = now
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if not self.done.done():
            self.done.set_result(exc)


async def load(host: str, port: int, request: bytes, connections: int, seconds: float) -> list[float]:
    """Seconds that each answer took, of all within `seconds`; but for each connection's first, which opens others.

    Answers must have a Content-Length and arrive head first.
    """
    times: list[float] = []
    deadline = time.monotonic() + seconds
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(request, times, deadline), host, port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    return times


if __name__ == "__main__":  # load.py PORT CONNECTIONS SECONDS < REQUEST: how many answers, median and p99 in ms
    PORT, CONNECTIONS, SECONDS = sys.argv[1:]
    TIMES = sorted(uvloop.run(load("127.0.0.1", int(PORT), sys.stdin.buffer.read(), int(CONNECTIONS), float(SECONDS))))
    MEDIAN, P99 = (TIMES[int(len(TIMES) * part)] * 1_000 for part in (0.5, 0.99))
    print(len(TIMES) + int(CONNECTIONS), MEDIAN, P99)

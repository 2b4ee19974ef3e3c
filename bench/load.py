"""A closed-loop HTTP/1.1 load: N connections send one fixed request again and again; counts answers of one size."""

from __future__ import annotations

import asyncio
import sys
import time


def content_length(head: bytes) -> int:
    """The body's length that an answer's head promises."""
    return int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])


class Connection(asyncio.Protocol):
    """Sends the next request when the answer before is complete."""

    def __init__(self, request: bytes, counter: list[int], deadline: float) -> None:
        self._request = request
        self._counter = counter
        self._deadline = deadline
        self._missing = 0
        self._transport: asyncio.Transport | None = None
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

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
            self._counter[0] += 1
            assert self._transport is not None
            if time.monotonic() < self._deadline:
                self._transport.write(self._request)
            else:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if not self.done.done():
            self.done.set_result(exc)


async def load(host: str, port: int, request: bytes, connections: int, seconds: float) -> int:
    """How many answers came within `seconds`. Answers must have a Content-Length and arrive head first."""
    counter = [0]
    deadline = time.monotonic() + seconds
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Connection(request, counter, deadline), host, port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    return counter[0]


if __name__ == "__main__":  # load.py PORT CONNECTIONS SECONDS < REQUEST
    PORT, CONNECTIONS, SECONDS = sys.argv[1:]
    print(asyncio.run(load("127.0.0.1", int(PORT), sys.stdin.buffer.read(), int(CONNECTIONS), float(SECONDS))))

"""An upstream of fixed delay: answers embeddings calls with one vector in base64; counts calls and inputs.

stand_in.py PORT MILLISECONDS. `GET /count` gives `CALLS INPUTS` so far.
"""

from __future__ import annotations

import asyncio
import sys
from base64 import b64encode
from typing import cast

import orjson
import uvloop
from load import content_length

VALUES = 1_024
VECTOR = b64encode(b"\x00\x00\x00\x3d" * VALUES)  # 1/32 in each place: of length 1
ELEMENT = b'{"object":"embedding","index":%d,"embedding":"%b"}'
REPLY = b'{"model":"jina-embeddings-v3","object":"list","usage":{"total_tokens":%d,"prompt_tokens":%d},"data":[%b]}'


class Connection(asyncio.Protocol):
    """Requests one after the other, each with a Content-Length or without a body."""

    counted = [0, 0]  # noqa: RUF012 - of the whole process
    seconds = 0.0

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        """Answer when a request is complete, `seconds` later."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"GET"):
            self._received = b""
            self._answer(b"%d %d" % tuple(self.counted))
        elif len(body) >= content_length(head):
            self._received = b""
            texts = orjson.loads(body)["input"]
            count = 1 if isinstance(texts, str) else len(texts)
            self.counted[0] += 1
            self.counted[1] += count
            elements = b",".join([ELEMENT % (index, VECTOR) for index in range(count)])
            reply = REPLY % (count, count, elements)
            if self.seconds:
                asyncio.get_running_loop().call_later(self.seconds, self._answer, reply)
            else:
                self._answer(reply)

    def _answer(self, body: bytes) -> None:
        assert self._transport is not None
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)


async def serve(port: int) -> None:
    """Until it is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=1_024)
    await server.serve_forever()


if __name__ == "__main__":
    Connection.seconds = float(sys.argv[2]) / 1_000
    uvloop.run(serve(int(sys.argv[1])))

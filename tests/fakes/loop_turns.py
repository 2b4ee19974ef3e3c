"""E: a worker's gateway in a process of its own that tells how long a turn of its event loop was, in CPU time.

python -P loop_turns.py STORE_URL FOLDER reads calls from standard input, one a line, `{"path": …}` beside the body's
fields, and answers each with a line: `{"milliseconds": of the longest turn, "hits": …, "misses": …, "bytes": …}`.

A turn is what the loop does between two looks at its sockets; nobody else is served meanwhile. CPU time of the loop's
thread (time.thread_time), not time on the wall: what other processes or threads take of the machine is not in it.
The upstream and the client are threads of the same process: their work is in nobody's turn.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import orjson
import pybase64
import uvloop

from gateway.app.worker import App, _spare_the_collector
from gateway.authenticate import digest
from gateway.config.backends import Backend
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Cache, Config, Server, Store, Tenant, Tier

WIDTH = 1_024
LAYER_BYTES = 25_000_000
"""What a worker holds itself: two lists of 2,048 vectors, so that the one before them comes from the store."""

KEY = "jina_" + "s" * 60
_CASE_SECONDS = 60.0
SETTLED = 0.1
"""Seconds in which what is done once an answer is out is done, too."""


class Replies(BaseHTTPRequestHandler):
    """A vector in base64 for each text of a call."""

    protocol_version = "HTTP/1.1"
    row = pybase64.b64encode_as_string(np.linspace(-0.1, 0.1, WIDTH, dtype="<f4").tobytes())

    def do_POST(self) -> None:  # the name is the base class's
        """Answer an embeddings call, or a rerank call."""
        asked = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
        reply: dict[str, Any] = {"model": asked["model"], "usage": {"total_tokens": 100}}
        if "documents" in asked:
            count = len(asked["documents"])
            reply["results"] = [{"index": at, "relevance_score": at / count} for at in range(count)]
        else:
            reply["data"] = [{"index": at, "embedding": self.row} for at in range(len(asked["input"]))]
        body = orjson.dumps(reply)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing is said."""


@dataclass
class Turns:
    """The longest turn since `longest` was set to 0, in seconds."""

    longest: float = 0.0
    stopped: bool = False

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """In each turn of the loop, once."""
        last = time.thread_time()

        def look() -> None:
            nonlocal last
            now = time.thread_time()
            self.longest = max(self.longest, now - last)
            last = now
            if not self.stopped:
                loop.call_soon(look)

        loop.call_soon(look)


def ask(port: int, path: str, body: bytes) -> dict[str, int]:
    """One call, its answer read to its end and dropped."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_CASE_SECONDS)
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    size = 0
    while chunk := answer.read(1_048_576):
        size += len(chunk)
        first = chunk
    assert answer.status == 200, first
    connection.close()
    hits, misses = (int(answer.headers[f"X-Gateway-Cache-{kind}"]) for kind in ("Hits", "Misses"))
    return {"hits": hits, "misses": misses, "bytes": size}


def converse(port: int, turns: Turns, loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
    """Answer every call on standard input."""
    answers = sys.__stdout__.buffer  # type: ignore[union-attr] # there is one
    try:
        for line in sys.stdin.buffer:
            case = orjson.loads(line)
            turns.longest = 0.0
            seen = ask(port, case.pop("path", "/v1/embeddings"), orjson.dumps(case))
            time.sleep(SETTLED)
            answers.write(orjson.dumps({"milliseconds": 1_000 * turns.longest, **seen}) + b"\n")
            answers.flush()
    finally:
        turns.stopped = True
        loop.call_soon_threadsafe(over.set)


async def main(store: str, folder: str) -> None:
    """Serve until standard input ends."""
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Replies)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    unlimited = Tier(rpm=10**9, tpm=10**9, concurrency=10**6)
    config = Config(
        server=Server(data_dir=folder),
        store=Store(url=store, timeout=_CASE_SECONDS),
        cache=Cache(memory=LAYER_BYTES),
        tiers={"free": unlimited},
        tenants={"search": Tenant(tier="free", keys=(KEY,))},
        backends={"jina": Backend(dialect="jina", url=f"http://127.0.0.1:{upstream.server_port}", key="jina_upstream")},
    )
    app = App(compile_snapshot(config, secret=b"s" * 32, digest=digest), store)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0)
    await app.start([listener])
    _spare_the_collector()
    loop, turns, over = asyncio.get_running_loop(), Turns(), asyncio.Event()
    turns.watch(loop)
    port = listener.getsockname()[1]
    threading.Thread(target=converse, args=(port, turns, loop, over), daemon=True).start()
    await over.wait()
    await app.stop()
    upstream.shutdown()


if __name__ == "__main__":
    sys.stdout = sys.stderr  # for whatever logs
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:3]))

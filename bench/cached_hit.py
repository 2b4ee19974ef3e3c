"""Cached hits beside a bare aiohttp handler that returns the same bytes; hit and miss; bytes per vector; start times.

CPU µs per request = user + system time of the whole process tree ÷ answers, over runs in turn on one machine; the
load generator is a process of its own and not counted. The upstream is the tests' stand-in for Jina: 1,024 floats.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from load import content_length

ROOT = Path(__file__).resolve().parents[1]
CONNECTIONS = 32
SECONDS = 4.0
ROUNDS = 3
KEY = "jina_" + "b" * 60
TEXT = "a text of some length, as clients send"
LISTS = {"one text": [TEXT], "100 texts": [f"{TEXT}, number {number}" for number in range(100)]}
TIMED = 200

BARE = """
import asyncio, sys, uvloop
from aiohttp import web
body = open(sys.argv[1], "rb").read()
async def answer(request):
    await request.read()
    return web.Response(body=body, content_type="application/json")
app = web.Application()
app.router.add_post("/v1/embeddings", answer)
asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
"""

UPSTREAM = """
import sys
sys.path.insert(0, "tests")
from aiohttp import web
from fakes.jina_upstream import Upstream
web.run_app(Upstream().application(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
"""


@dataclass
class Program:
    """A running process and where it listens."""

    process: subprocess.Popen[str]
    port: int

    def cpu_seconds(self) -> float:
        """User and system time of the process and all below it."""
        whole = psutil.Process(self.process.pid)
        times = [member.cpu_times() for member in (whole, *whole.children(recursive=True))]
        return sum(entry.user + entry.system for entry in times)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def start(*command: str, port: int) -> Program:
    """Run Python with `command` and wait until something listens on `port`."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, text=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    return Program(process, port)


def request_bytes(port: int, texts: list[str]) -> bytes:
    """One embeddings call as it goes over the wire."""
    body = json.dumps({"model": "jina-embeddings-v3", "input": texts}).encode()
    head = (
        f"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def measure(program: Program, texts: list[str]) -> tuple[float, float]:
    """CPU µs per request and requests per second under load."""
    before = program.cpu_seconds()
    done = subprocess.run(
        [sys.executable, "load.py", str(program.port), str(CONNECTIONS), str(SECONDS)],
        cwd=ROOT / "bench",
        input=request_bytes(program.port, texts),
        capture_output=True,
        check=True,
    )
    answers = int(done.stdout.split()[0])
    return (program.cpu_seconds() - before) / answers * 1e6, answers / SECONDS


def answer_of(program: Program, texts: list[str]) -> bytes:
    """The body that one call gets."""
    with socket.create_connection(("127.0.0.1", program.port), timeout=30) as connection:
        return ask(connection, request_bytes(program.port, texts))


def ask(connection: socket.socket, request: bytes) -> bytes:
    """The body of the answer to one request."""
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    while len(body) < content_length(head):
        body += connection.recv(65_536)
    return body


def miss_and_hit(program: Program) -> tuple[float, float]:
    """Median milliseconds of one call at a time: texts that are new, then the same again."""
    with socket.create_connection(("127.0.0.1", program.port), timeout=30) as connection:

        def median(requests: list[bytes]) -> float:
            times = []
            for request in requests:
                began = time.perf_counter()
                ask(connection, request)
                times.append((time.perf_counter() - began) * 1_000)
            return statistics.median(times)

        requests = [request_bytes(program.port, [f"a new text {number}"]) for number in range(TIMED)]
        return median(requests), median(requests)


def config_text(upstream: int) -> str:
    """Unlimited tenant, Jina upstream."""
    return json.dumps(
        {
            "tiers": {"open": {}},
            "tenants": {"bench": {"tier": "open", "keys": [KEY]}},
            "backends": {"jina": {"dialect": "jina", "url": f"http://127.0.0.1:{upstream}", "key": "jina_" + "u" * 60}},
            "observe": {"log_level": "error"},
        }
    )


def bytes_per_vector(data_dir: Path) -> int:
    """What the store holds for the one cached vector, key and header included (MEMORY USAGE)."""
    from redis import Redis  # noqa: PLC0415 - only here

    store = Redis(unix_socket_path=str(data_dir / "run" / "store.sock"))
    names = list(store.scan_iter(match=b"gw:c:*"))
    size: Any = store.memory_usage(names[0], samples=0)
    return int(size)


def start_seconds(data_dir: Path) -> float:
    """From the command to the banner, embedded store and model, as the gateway's user waits for it."""
    began = time.monotonic()
    command = [sys.executable, "-m", "gateway", "serve", "--port", "0", "--data-dir", str(data_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("curl"):
                break
        took = time.monotonic() - began
        process.terminate()
        process.communicate()
    return took


def main() -> None:
    """Measure and print."""
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="gwb", dir="/tmp") as scratch:
        folder = Path(scratch)
        starts = [start_seconds(folder / "start") for _ in range(3)]
        print(f"start to banner, embedded store and model: first {starts[0]:.2f} s, again {min(starts[1:]):.2f} s")
        upstream_port, gateway_port = free_port(), free_port()
        (folder / "config.yaml").write_text(config_text(upstream_port))
        upstream = start("-c", UPSTREAM, str(upstream_port), port=upstream_port)
        serve = ("-m", "gateway", "serve", "--config", str(folder / "config.yaml"))
        gateway = start(*serve, "--port", str(gateway_port), "--data-dir", str(folder / "data"), port=gateway_port)
        try:
            for name, texts in LISTS.items():
                beside_bare(name, gateway, texts, folder)
            miss, hit = miss_and_hit(gateway)
            print(f"one call at a time, upstream of 0 ms: miss {miss:.2f} ms, the same again {hit:.2f} ms")
            held = bytes_per_vector(folder / "data")
            print(f"store: {held} bytes per vector of 1,024 float32 (4,096 bytes): {held / 4096:.3f}")
        finally:
            for program in (gateway, upstream):
                program.stop()


def beside_bare(name: str, gateway: Program, texts: list[str], folder: Path) -> None:
    """Measure one request that is all cached, and the same bytes from bare aiohttp; print both."""
    (folder / "body").write_bytes(answer_of(gateway, texts))
    port = free_port()
    bare = start("-c", BARE, str(folder / "body"), str(port), port=port)
    costs: dict[str, list[tuple[float, float]]] = {"bare aiohttp": [], "gateway": []}
    try:
        for _ in range(ROUNDS):
            costs["bare aiohttp"].append(measure(bare, texts))
            costs["gateway"].append(measure(gateway, texts))
    finally:
        bare.stop()
    medians = {server: statistics.median(cost for cost, _ in runs) for server, runs in costs.items()}
    for server, runs in costs.items():
        rate = statistics.median(rate for _, rate in runs)
        print(f"{name}, all cached, {server}: {medians[server]:.0f} CPU µs a request ({rate:,.0f} requests/s)")
    print(f"{name}, all cached, ratio: {medians['gateway'] / medians['bare aiohttp']:.2f}")


if __name__ == "__main__":
    main()

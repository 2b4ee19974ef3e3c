"""What the gateway adds to a call that must go upstream, and what merging small calls saves.

1. Throughput, CPU and latency at 128 connections and at one, in front of upstreams of 0 ms and 50 ms, beside nginx (one
   worker), a bare aiohttp proxy and no proxy, in turn in the same run. Calls have `no-store`: each goes upstream.
2. Upstream calls for 1,000 concurrent single-text calls in front of an upstream of 20 ms.

The upstream (stand_in.py) counts; the load generator (load.py) is a process of its own. Times leave out the first call
of each connection, which opens others, and have the generator's own cost in them, the same for all: differences and
ratios mean something, single figures little.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import aiohttp
from cached_hit import KEY, ROOT, Program, free_port, start

if TYPE_CHECKING:
    from collections.abc import Iterator

BENCH = ROOT / "bench"
CONNECTIONS = 128
SECONDS = 4.0
ROUNDS = 3
SINGLES = 1_000
URL = "http://127.0.0.1:{port}/v1/embeddings"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 100000000;
  upstream there {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port} backlog=1024;
    location / {{ proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""


@dataclass(frozen=True)
class Run:
    """One measurement: answers a second, median and p99 in ms, CPU µs of an answer."""

    rate: float
    median: float
    p99: float
    cpu: float


def body_of(texts: list[str]) -> bytes:
    """A call for base64, the form that the upstream has."""
    return json.dumps({"model": "jina-embeddings-v3", "embedding_type": "base64", "input": texts}).encode()


def request_bytes(port: int) -> bytes:
    """One call that must go upstream, as it goes over the wire."""
    body = body_of(["a text of some length, as clients send"])
    head = (
        f"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def measure(program: Program, connections: int, seconds: float = SECONDS) -> Run:
    """A program under load."""
    before = program.cpu_seconds()
    done = subprocess.run(
        [sys.executable, "load.py", str(program.port), str(connections), str(seconds)],
        cwd=BENCH,
        input=request_bytes(program.port),
        capture_output=True,
        check=True,
    )
    answers, median, p99 = (float(word) for word in done.stdout.split())
    return Run(answers / seconds, median, p99, (program.cpu_seconds() - before) / answers * 1e6)


@contextmanager
def stand_in(milliseconds: int) -> Iterator[Program]:
    """The upstream."""
    port = free_port()
    program = start(str(BENCH / "stand_in.py"), str(port), str(milliseconds), port=port)
    try:
        yield program
    finally:
        program.stop()


@contextmanager
def gateway(upstream: Program, concurrency: int, *, batch: bool = False) -> Iterator[Program]:
    """One worker in front of the upstream, for a tenant without limits; `batch`: small calls travel together."""
    url = f"http://127.0.0.1:{upstream.port}"
    config = {
        "tiers": {"open": {}},
        "tenants": {"bench": {"tier": "open", "keys": [KEY]}},
        "backends": {
            "jina": {
                "dialect": "jina",
                "url": url,
                "key": "jina_" + "u" * 60,
                "concurrency": concurrency,
                "batch": batch,
            }
        },
        "observe": {"log_level": "error"},
    }
    with tempfile.TemporaryDirectory(prefix="gwf", dir="/tmp") as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(json.dumps(config))
        port = free_port()
        options = ("--config", str(file), "--port", str(port), "--data-dir", f"{folder}/data")
        program = start("-m", "gateway", "serve", *options, port=port)
        try:
            yield program
        finally:
            program.stop()


@contextmanager
def bare(upstream: Program) -> Iterator[Program]:
    """bare_proxy.py."""
    port = free_port()
    program = start(str(BENCH / "bare_proxy.py"), str(port), f"http://127.0.0.1:{upstream.port}", port=port)
    try:
        yield program
    finally:
        program.stop()


@contextmanager
def nginx(upstream: Program) -> Iterator[Program | None]:
    """Nginx with a pool of connections to the upstream; None where it is not installed."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="gwn", dir="/tmp") as folder:
        port = free_port()
        file = Path(folder) / "nginx.conf"
        file.write_text(NGINX.format(folder=folder, port=port, upstream=upstream.port))
        process = subprocess.Popen([binary, "-p", folder, "-c", str(file)], text=True, stderr=subprocess.DEVNULL)
        time.sleep(1)
        program = Program(process, port)
        try:
            yield program
        finally:
            program.stop()


def beside_others(milliseconds: int) -> None:
    """Print the table of one upstream."""
    with (
        stand_in(milliseconds) as upstream,
        bare(upstream) as plain,
        nginx(upstream) as engine,
        gateway(upstream, 1_024) as ours,
    ):
        programs = {"no proxy": upstream, "nginx": engine, "bare aiohttp": plain, "gateway": ours}
        present = {name: program for name, program in programs.items() if program is not None}
        if engine is None:
            print("nginx: left out, it is not installed")
        found: dict[str, list[tuple[Run, Run]]] = {name: [] for name in present}
        for _ in range(ROUNDS):
            for name, program in present.items():
                found[name].append((measure(program, CONNECTIONS), measure(program, 1, 1.0)))
    print(f"\nupstream of {milliseconds} ms, {CONNECTIONS} connections; medians of {ROUNDS} rounds")
    print(f"| | calls/s | CPU µs a call | median ms | p99 ms | added at 1 connection, ms |\n{'| --- ' * 6}|")
    many = {name: middle([run for run, _ in runs]) for name, runs in found.items()}
    alone = {name: middle([run for _, run in runs]) for name, runs in found.items()}
    for name, run in many.items():
        added = alone[name].median - alone["no proxy"].median
        print(f"| {name} | {run.rate:,.0f} | {run.cpu:,.0f} | {run.median:.1f} | {run.p99:.1f} | {added:.2f} |")
    ours_run, plain_run = many["gateway"], many["bare aiohttp"]
    print(
        f"gateway : bare aiohttp = {ours_run.rate / plain_run.rate:.2f} calls/s, {ours_run.cpu / plain_run.cpu:.2f} CPU"
    )
    if "nginx" in many:
        print(f"gateway : nginx = {ours_run.rate / many['nginx'].rate:.2f} calls/s", flush=True)


def proxies() -> None:
    """Both upstreams."""
    for milliseconds in (0, 50):
        beside_others(milliseconds)


def middle(runs: list[Run]) -> Run:
    """The median of each figure."""
    columns = zip(*((run.rate, run.median, run.p99, run.cpu) for run in runs), strict=True)
    return Run(*(statistics.median(column) for column in columns))


def counted(upstream: Program) -> tuple[int, int]:
    """Calls and inputs that the upstream has seen."""
    with urlopen(f"http://127.0.0.1:{upstream.port}/count") as answer:
        calls, inputs = answer.read().split()
    return int(calls), int(inputs)


async def singles(port: int, count: int, mark: str) -> list[float]:
    """Seconds of each of so many calls at once, with a text each that nobody has sent before."""

    async def one(http: aiohttp.ClientSession, number: int) -> float:
        began = time.perf_counter()
        body = body_of([f"{mark} {number}"])
        async with http.post(URL.format(port=port), data=body, headers=HEADERS) as answer:
            await answer.read()
            assert answer.status == 200, answer.status  # noqa: PLR2004 - HTTP's OK
        return time.perf_counter() - began

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        return await asyncio.gather(*(one(http, number) for number in range(count)))


def merging() -> None:
    """Print how many calls the upstream got for many small ones."""
    with stand_in(20) as upstream, gateway(upstream, 64, batch=True) as ours:
        asyncio.run(singles(ours.port, 50, "warm"))
        before = counted(upstream)
        began = time.perf_counter()
        times = asyncio.run(singles(ours.port, SINGLES, "single"))
        took = time.perf_counter() - began
        calls, inputs = (after - start for after, start in zip(counted(upstream), before, strict=True))
    print(
        f"\n{SINGLES:,} single-text calls at once, upstream of 20 ms: {calls:,} upstream calls with {inputs:,} inputs"
    )
    print(f"all answered in {took:.2f} s, the slowest after {max(times):.2f} s", flush=True)


def main() -> None:
    """Measure and print; names of parts as arguments choose among them."""
    parts = {"proxies": proxies, "merging": merging}
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()

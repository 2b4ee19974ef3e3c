"""E: what `gateway doctor` looks at: this host, the ports, the store, the backends; nothing is changed."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy

from gateway.cli import verdicts
from gateway.cli.backends import health
from gateway.cli.verdicts import Grade, Verdict
from gateway.config.addresses import address
from gateway.config.defaults import EMBEDDED
from gateway.errors import StoreError
from gateway.processes.data_dir import STORE_SOCKET, running_socket
from gateway.processes.embedded_store import find_binary
from gateway.processes.libraries import installed_misfits
from gateway.processes.listener import ADMINISTERED, SERVED, bind
from gateway.processes.problem import StartError
from gateway.processes.processors import default_workers, processors
from gateway.stores.redis.client import ask_all, connect, store_errors
from gateway.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from redis.asyncio.cluster import ClusterNode

    from gateway.config.schema import Config
    from gateway.stores.redis.client import Client

SECONDS = 5.0
_OK = 200
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - recognised, not bound


def host(config: Config) -> Iterator[Verdict]:
    """What can be seen of this machine without asking anybody."""
    slow = HttpRequestParser is HttpRequestParserPy
    said = f"aiohttp {aiohttp.__version__}, {'Python' if slow else 'C'} parser"
    unfit = installed_misfits()
    yield Verdict("HTTP parser", Grade.WRONG if unfit else Grade.GOOD, said, "; ".join(unfit))
    yield verdicts.files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield verdicts.workers(config.server.workers or default_workers(), processors())
    yield from _data_dir(Path(config.server.data_dir).absolute())
    yield verdicts.admin_token(config.admin.token if config.admin.port is not None else None, config.admin.host)


def _data_dir(path: Path) -> Iterator[Verdict]:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        remedy = f"let {_user()} write there, or name another server.data_dir"
        yield Verdict("data_dir", Grade.WRONG, f"{path}: {error.strerror}", remedy)
        return
    yield Verdict("data_dir", Grade.GOOD, f"{path} can be written")
    yield verdicts.disk(shutil.disk_usage(there).free)


def _user() -> str:
    return f"user {os.getuid()}"


async def outside(config: Config) -> list[Verdict]:
    """What ports, store and backends answer, all asked at once."""
    upstream = Upstream(config.backends, config.fetch.networks)
    try:
        found = await asyncio.gather(
            _port(config.server.host, config.server.port, SERVED),
            *([] if config.admin.port is None else [_port(config.admin.host, config.admin.port, ADMINISTERED)]),
            _store(config),
            *(_backend(upstream, name, config) for name in config.backends),
        )
    finally:
        await upstream.close()
    return [verdict for some in found for verdict in some]


async def _port(name: str, port: int, settings: tuple[str, str]) -> list[Verdict]:
    thing = f"port {port}"
    if port == 0:
        return [Verdict("port", Grade.GOOD, "a free one is taken")]
    try:
        (await asyncio.to_thread(bind, name, port, settings)).close()
    except StartError as error:
        if await _is_gateway(f"http://{_LOCAL.get(name, name)}:{port}"):
            return [Verdict(thing, Grade.GOOD, "a gateway serves there")]
        said, _, remedy = str(error).partition("; ")
        return [Verdict(thing, Grade.WRONG, said, f"end the program that has it, or {remedy}")]
    return [Verdict(thing, Grade.GOOD, "free")]


async def _is_gateway(url: str) -> bool:
    """Whether what listens there answers as we do: every answer of ours, a refusal too, has a request id."""
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{url}/live") as answer:
            return "X-Request-Id" in answer.headers
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _backend(upstream: Upstream, name: str, config: Config) -> list[Verdict]:
    backend = config.backends[name]
    if backend.url == EMBEDDED:
        return [Verdict(f"backend {name}", Grade.GOOD, "the bundled model, which runs with `gateway serve`")]
    said, well = await health(upstream, name, backend)
    remedy = "" if well else f"look at {address(backend.url)}, or correct backends.{name}.url"
    return [Verdict(f"backend {name}", Grade.GOOD if well else Grade.WRONG, said, remedy)]


async def _store(config: Config) -> list[Verdict]:
    url = config.store.url
    if url is None:
        return await asyncio.to_thread(_embedded, Path(config.server.data_dir))
    client = connect(url, SECONDS, cluster=config.store.cluster)
    try:
        with store_errors():
            return await _ask_store(client, config)
    except StoreError as error:
        said = f"{address(url)} does not answer ({error})"
        return [Verdict("store", Grade.WRONG, said, "start it, or correct store.url: address, password, TLS, cluster")]
    finally:
        await client.aclose()


def _embedded(data_dir: Path) -> list[Verdict]:
    try:
        binary = find_binary(os.environ)
    except StartError as error:
        return [Verdict("store", Grade.WRONG, "none configured", str(error))]
    runs = "runs" if running_socket(data_dir, STORE_SOCKET).exists() else "starts with `gateway serve`"
    return [Verdict("store", Grade.GOOD, f"embedded {binary.product} {binary.version}, {runs}; for one machine")]


async def _ask_store(client: Client, config: Config) -> list[Verdict]:
    found: list[Verdict] = []
    nodes: list[ClusterNode | None] = [None]
    if config.store.cluster:
        await client.initialize()
        nodes = list(client.get_primaries())  # type: ignore[union-attr] # a cluster's client, as configured
    for node in nodes:
        asked_at = time.time()
        info, moment, script = await ask_all(client, [("INFO",), ("TIME",), ("EVAL", "return 1", 0)], node)
        middle = (asked_at + time.time()) / 2
        for reply in (info, moment, script):
            if isinstance(reply, Exception):
                raise reply
        found += verdicts.store(_facts(info), clustered=config.store.cluster)
        found.append(verdicts.clocks(int(moment[0]) + int(moment[1]) / 1e6 - middle))
    return found


def _facts(info: object) -> Mapping[str, object]:
    """INFO as a table, whether the client has read it already or not."""
    if isinstance(info, dict):
        return info
    text = info.decode(errors="replace") if isinstance(info, bytes) else str(info)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

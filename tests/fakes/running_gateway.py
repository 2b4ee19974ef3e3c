"""E: `python -m gateway serve` as a process: started in a clean environment, asked over HTTP, stopped, looked at."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from multidict import CIMultiDictProxy

PATIENCE = 40.0
"""Seconds after which something that should have happened counts as not happening."""

MODEL = "all-MiniLM-L6-v2"
COMMAND = (sys.executable, "-m", "gateway")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cached(self) -> tuple[int, int]:
        """Hits and misses, as the headers say."""
        return int(self.headers["X-Gateway-Cache-Hits"]), int(self.headers["X-Gateway-Cache-Misses"])

    @property
    def failure(self) -> tuple[int, str]:
        """Status and code of a failure, whose body must have the contract's shape."""
        body = self.json
        assert isinstance(body["detail"], str)
        assert body["request_id"] == self.headers["X-Request-Id"]
        return self.status, body["code"]


async def until(check: Callable[[], Awaitable[bool]], pause: float = 0.02) -> None:
    """Ask again and again, until the answer is yes or patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not await check():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(pause)


def clean_environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a shell would have, without what the test run has."""
    return {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), "LANG": "C.UTF-8", **(env or {})}


class Gateway:
    """A running gateway. Each call takes a connection of its own, so that any worker may get it."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, data_dir: Path, key: str) -> None:
        self.process = process
        self.data_dir = data_dir
        self.key = key
        self.url = ""
        self._folder = folder
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
        )

    def said(self) -> str:
        """Standard output so far."""
        return (self._folder / "stdout").read_text()

    def logged(self) -> str:
        """Standard error so far."""
        return (self._folder / "stderr").read_text()

    def pid(self, child: str) -> int:
        return int((self.data_dir / "run" / f"{child}.pid").read_text())

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def started(self) -> None:
        """Wait for the whole banner; its last line names the key."""

        async def complete() -> bool:
            assert self.process.poll() is None, self.logged()
            *_, last = self.said().split("\n\n")
            return "\nKey:" in last and last.endswith("\n")

        await until(complete)
        self.url = self.said().partition("serves on ")[2].split()[0]
        if not self.key:
            self.key = (self.data_dir / "dev-key").read_text().strip()

    async def get(self, path: str, **headers: str) -> Answer:
        async with self._http.get(self.url + path, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def post(self, path: str, body: object, key: str = "", **headers: str) -> Answer:
        """A call with JSON, or with bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {key or self.key}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with self._http.post(self.url + path, data=data, headers=sent) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def delete(self, path: str, key: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        async with self._http.delete(self.url + path, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def embed(self, texts: object, key: str = "", model: str = MODEL, **fields: Any) -> Answer:
        return await self.post("/v1/embeddings", {"model": model, "input": texts, **fields}, key)

    async def rerank(self, query: str, documents: object, key: str = "", model: str = MODEL, **fields: Any) -> Answer:
        return await self.post("/v1/rerank", {"model": model, "query": query, "documents": documents, **fields}, key)

    async def on_disk(self) -> None:
        """Wait until what the store holds is in its append-only file, which is synced every second."""
        reader, writer = await asyncio.open_unix_connection(self.data_dir / "run" / "store.sock")
        writer.write(b"SET probe 1\r\nWAITAOF 1 0 0\r\n")
        assert await reader.readexactly(len(b"+OK\r\n*2\r\n:1\r\n")) == b"+OK\r\n*2\r\n:1\r\n"
        writer.close()

    @contextmanager
    def paused(self, pid: int) -> Iterator[None]:
        """A process that does nothing for a while; the supervisor then replaces no child, for example."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def stop(self) -> None:
        """SIGTERM ends it with exit code 0, and no process of it stays."""
        children = self.children()
        self.process.terminate()
        assert await asyncio.to_thread(self.process.wait, PATIENCE) == 0, self.logged()
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, PATIENCE)
        assert not alive

    async def close(self) -> None:
        """Whatever its state, leave nothing behind."""
        await self._http.close()
        if self.process.poll() is None:
            self.process.kill()
            await asyncio.to_thread(self.process.wait, PATIENCE)


@asynccontextmanager
async def launched(
    config: str = "",
    *,
    workers: int | None = 1,
    data: Path | None = None,
    env: Mapping[str, str] | None = None,
    key: str = "",
) -> AsyncIterator[Gateway]:
    """A gateway on a free port; stopped at the end, which must go well. `key` is what calls send by default."""
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as name:
        folder = Path(name)
        data_dir = data or folder / "data"
        options = ["--port", "0", "--data-dir", str(data_dir)]
        options += [] if workers is None else ["--workers", str(workers)]
        if config:
            (folder / "config.yaml").write_text(config)
            options += ["--config", str(folder / "config.yaml")]
        process = _begin(folder, options, clean_environment(env))
        gateway = Gateway(process, folder, data_dir, key)
        try:
            await gateway.started()
            yield gateway
            if process.poll() is None:
                await gateway.stop()
        finally:
            await gateway.close()


def _begin(folder: Path, options: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    """`gateway serve` with both outputs in files, as under a service manager."""
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        return subprocess.Popen([*COMMAND, "serve", *options], stdout=out, stderr=err, env=env)

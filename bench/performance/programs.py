"""Processes that are measured: started, pinned to a core, looked at, ended."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
CORES = os.cpu_count() or 1
LOAD_CORE = 0
PEER_CORE = 1
START_SECONDS = 90.0
STOP_SECONDS = 20.0


def pinned(core: int | None, command: Sequence[str]) -> list[str]:
    """The command on one core; anywhere where there is no second one, or for None."""
    return [*(() if core is None or CORES == 1 else ("taskset", "-c", str(core))), *command]


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Program:
    """A running process and where it listens."""

    process: subprocess.Popen[bytes]
    port: int

    def members(self) -> list[psutil.Process]:
        """The process and all below it."""
        whole = psutil.Process(self.process.pid)
        return [whole, *whole.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """User and system time of the whole tree."""
        return sum(self.parts().values())

    def parts(self) -> dict[str, float]:
        """The same by what a process is: `worker`, `store` or `rest`."""
        parts: dict[str, float] = {}
        for member in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                used, name = member.cpu_times(), role(member)
                parts[name] = parts.get(name, 0.0) + used.user + used.system
        return parts

    def rss_mb(self) -> float:
        """Resident memory of the whole tree, but for the store, which holds what it is told to; MB of 10^6 bytes."""
        return sum(member.memory_info().rss for member in self.members() if role(member) != "store") / 1e6

    def workers(self) -> list[psutil.Process]:
        """The gateway's workers."""
        return [member for member in self.members() if role(member) == "worker"]

    def stop(self) -> None:
        """End it and all below it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            members = self.members()
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
            for member in members:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
        self.process.wait(STOP_SECONDS)


def role(member: psutil.Process) -> str:
    """What a process of the gateway's tree is; anything else is `rest`."""
    try:
        command = " ".join(member.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return "rest"
    if "gateway.processes.worker" in command:
        return "worker"
    return "store" if "valkey-server" in command or "redis-server" in command else "rest"


def start(  # noqa: PLR0913 - what a process can be given
    command: Sequence[str],
    port: int,
    log: Path,
    *,
    core: int | None = PEER_CORE,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> Program:
    """Run a command until something listens on `port`; both outputs go to `log`. Raises RuntimeError if it ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            pinned(core, command),
            cwd=cwd,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            env=dict(env or os.environ),
        )
    deadline = time.monotonic() + START_SECONDS
    program = Program(process, port)
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return program
    program.stop()
    raise RuntimeError(f"{command[0]} does not listen: {log.read_text(errors='replace')[-2_000:]}")

"""E: one child process: start, readiness, end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from asyncio import StreamWriter, WriteTransport
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_POLL = 0.01
_LOG_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Program:
    """What to run.

    Without `probe` the program gets `--ready-fd N` and writes one byte there once it serves; with it, it is asked
    until it returns true. `stdin` is written at the start; the pipe stays open as long as the supervisor lives.
    `log` takes both output streams; without it they pass through. `grace` is the seconds between SIGTERM and SIGKILL.
    """

    name: str
    argv: tuple[str, ...]
    grace: float
    stdin: bytes = b""
    pass_fds: tuple[int, ...] = ()
    log: Path | None = None
    probe: Callable[[], Awaitable[bool]] | None = None


class Process(Protocol):
    """What a Child needs of a process, as asyncio.subprocess.Process has it."""

    @property
    def pid(self) -> int:
        """Process id."""
        ...

    @property
    def stdin(self) -> StreamWriter | WriteTransport | None:
        """Its standard input."""
        ...

    @property
    def returncode(self) -> int | None:
        """The exit code, None while it runs."""
        ...

    async def wait(self) -> int:
        """The exit code once it ended."""
        ...


Spawn: TypeAlias = "Callable[[Program], Awaitable[Process]]"
"""Makes a process of a program whose `argv` is complete; raises OSError."""


class Child:
    """A running Program."""

    def __init__(self, program: Program, process: Process, ready_fd: int | None) -> None:
        """Take over a process; `start` makes both."""
        self._program = program
        self._process = process
        self._ready_fd = ready_fd

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def tell(self, line: bytes) -> None:
        """Write a line to its standard input; nothing happens if it has ended."""
        if self._process.stdin is not None and self._process.returncode is None:
            self._process.stdin.write(line)

    async def wait(self) -> int:
        """The exit code once it ended; negative for a signal."""
        return await self._process.wait()

    async def ready(self) -> bool:
        """True once it serves, false if it ended first."""
        serving = asyncio.create_task(self._serving(), name=f"{self._program.name} ready")
        ended = asyncio.create_task(self._process.wait(), name=f"{self._program.name} ended")
        try:
            await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
            return serving.done() and serving.result() and self._process.returncode is None
        finally:
            for task in (serving, ended):
                task.cancel()
            await asyncio.wait({serving, ended})
            if self._ready_fd is not None:
                os.close(self._ready_fd)
                self._ready_fd = None

    async def stop(self, *, replaced: bool = False) -> int:
        """SIGTERM, or SIGUSR2 to who has a successor, then SIGKILL after the program's grace; the exit code."""
        self._signal(signal.SIGUSR2 if replaced else signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._process.wait(), self._program.grace)
        except TimeoutError:
            self.kill()
            return await self._process.wait()

    def kill(self) -> None:
        """SIGKILL, without waiting."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        # Not Process.send_signal: it polls first, and so may take the exit code away from asyncio's own waiting thread.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def _serving(self) -> bool:
        if self._program.probe is None:
            return await self._announced()
        while not await self._program.probe():  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(_POLL)
        return True

    async def _announced(self) -> bool:
        if self._ready_fd is None:
            return True
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._ready_fd, readable.set)
        try:
            await readable.wait()
            return os.read(self._ready_fd, 1) != b""
        finally:
            loop.remove_reader(self._ready_fd)


async def executed(program: Program) -> Process:
    """A process of a group of its own, so that Ctrl-C on a terminal reaches the supervisor alone.

    Raises:
        OSError: the program can't be executed.
    """
    output = None if program.log is None else _open_log(program.log)
    try:
        return await asyncio.create_subprocess_exec(
            *program.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=program.pass_fds,
            process_group=0,
        )
    finally:
        if output is not None:
            output.close()


async def start(program: Program, spawn: Spawn = executed) -> Child:
    """Start a program.

    Raises:
        OSError: the program can't be executed.
    """
    read_fd = write_fd = None
    complete = program
    if program.probe is None:
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        argv = (*program.argv, "--ready-fd", str(write_fd))
        complete = replace(program, argv=argv, pass_fds=(*program.pass_fds, write_fd))
    try:
        process = await spawn(complete)
    except OSError:
        if read_fd is not None:
            os.close(read_fd)
        raise
    finally:
        if write_fd is not None:
            os.close(write_fd)
    if process.stdin is not None:
        process.stdin.write(program.stdin)
    return Child(program, process, read_fd)


def _open_log(path: Path) -> IO[bytes]:
    """Append to the log; one that has grown large starts over."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    large = path.exists() and path.stat().st_size > _LOG_BYTES
    return path.open("wb" if large else "ab")

"""E: the supervisor's side of the zygote: begun first of all, asked for workers, ended once they serve."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Self

from gateway.processes import zygote
from gateway.processes.child import Program, executed

if TYPE_CHECKING:
    from types import TracebackType

    from gateway.processes.child import Process

WORKER = (sys.executable, "-m", "gateway.processes.worker")


class Nursery:
    """Starts workers; a context manager that begins the zygote and ends it.

    While it lasts, workers are forked by it; later ones, and all where the system can't hand over children, are
    executed as any program: they come seldom, and must not depend on what was loaded long ago.
    """

    def __init__(self, command: tuple[str, ...] = WORKER) -> None:
        """`command` is a worker's, without arguments; with zygote.FLAG it becomes the zygote."""
        self._command = command
        self._lock = asyncio.Lock()
        self._control: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Begin to load, beside what the supervisor itself has to do."""
        if not zygote.adopt_orphans(wanted=True):
            return self
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)  # noqa: FBT003 - positional-only
        with other:
            self._zygote = subprocess.Popen(  # noqa: S603 - our own program
                (*self._command, zygote.FLAG, str(other.fileno()), str(os.getpid())),
                stdin=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
                process_group=0,  # Ctrl-C reaches the supervisor alone
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the zygote, if it is still there."""
        self.close()

    def close(self) -> None:
        """End the zygote; its workers are children of this process."""
        if self._control is None or self._zygote is None:
            return
        self._control.close()
        self._control = None
        self._zygote.kill()
        self._zygote.wait()
        zygote.adopt_orphans(wanted=False)

    async def spawn(self, program: Program) -> Process:
        """A process of a worker's program.

        Raises:
            OSError: the program can't be executed.
        """
        async with self._lock:
            if self._control is not None and program.argv[: len(self._command)] == self._command:
                forked = await self._forked(self._control, program)
                if forked is not None:
                    return forked
                self.close()  # it ended by itself; what is wrong is told by who tries the same alone
        return await executed(program)

    async def _forked(self, control: socket.socket, program: Program) -> Forked | None:
        loop = asyncio.get_running_loop()
        read, write = os.pipe()
        try:
            numbers = (0, *program.pass_fds)
            message = zygote.request(program.argv[len(self._command) :], numbers)
            socket.send_fds(control, [message], [read, *program.pass_fds])
            told = await loop.sock_recv(control, zygote.MOST_BYTES)
        except OSError:
            told = b""
        finally:
            os.close(read)
        if not told:
            os.close(write)
            return None
        stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(write, "wb", 0))
        return Forked(int(told), stdin)


class Forked:
    """A child that another process made: what asyncio's Process is to those it made itself."""

    def __init__(self, pid: int, stdin: asyncio.WriteTransport) -> None:
        self.pid = pid
        self.stdin = stdin
        self.returncode: int | None = None
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[int] = self._loop.create_future()
        self._descriptor = os.pidfd_open(pid)
        self._loop.add_reader(self._descriptor, self._ended)

    async def wait(self) -> int:
        """The exit code once it ended; negative for a signal."""
        return await asyncio.shield(self._over)

    def _ended(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self.stdin.close()
        self.returncode = os.waitstatus_to_exitcode(status)
        self._over.set_result(self.returncode)

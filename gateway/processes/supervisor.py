"""E: the parent process: starts children, keeps them alive, ends them in order, minds signals."""

from __future__ import annotations

import asyncio
import signal
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING

from gateway.clock import SystemClock
from gateway.processes.child import executed, start
from gateway.processes.keeper import Keeper
from gateway.processes.report import say

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from gateway.processes.child import Program, Spawn
    from gateway.processes.data_dir import DataDir


class Rank(IntEnum):
    """Who needs whom: the highest rank ends first, equals end together."""

    STORE = 0
    MODEL = 1
    WORKER = 2


class Supervisor:
    """The children of one gateway."""

    def __init__(self, data_dir: DataDir, ending: Callable[[], None] = lambda: None) -> None:
        """`ending` is called before children are ended."""
        self._data_dir = data_dir
        self._ending = ending
        self._clock = SystemClock()
        self._keepers: list[tuple[Rank, Keeper]] = []

    async def add(self, program: Program, rank: Rank, spawn: Spawn = executed) -> None:
        """Start a child and wait until it serves; from then on it is kept alive. `spawn` makes its processes.

        Raises:
            StartError: it does not start.
        """
        keeper = Keeper(program, self._data_dir.pid_file(program.name), self._clock, partial(start, spawn=spawn), say)
        self._keepers.append((rank, keeper))
        await keeper.start()

    def renew(self, program: Program, line: bytes) -> None:
        """Tell the child of that name a line; see Keeper.renew."""
        for _, keeper in self._keepers:
            if keeper.program.name == program.name:
                keeper.renew(program, line)

    async def replace(self, name: str) -> bool:
        """Put a new child of that program in the place of the old one; see Keeper.replace."""
        for _, keeper in self._keepers:
            if keeper.program.name == name:
                return await keeper.replace()
        return False

    async def stop(self) -> None:
        """End all children, rank by rank."""
        self._ending()
        for rank in sorted(Rank, reverse=True):
            await asyncio.gather(*(keeper.stop() for its, keeper in self._keepers if its is rank))

    def kill(self) -> None:
        """End all children at once; `stop` then only waits for them."""
        for _, keeper in self._keepers:
            keeper.kill()

    async def run(self, beginning: Coroutine[None, None, None]) -> None:
        """Do the beginning, then serve until SIGTERM or SIGINT; whatever happens, end all children.

        A SIGINT while ending ends them at once.

        Raises:
            StartError: the beginning failed.
        """
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number, stopping)
        starting = loop.create_task(beginning, name="start")
        waiting = loop.create_task(stopping.wait(), name="wait for a signal")
        try:
            await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await waiting
        finally:
            stopping.set()
            for task in (starting, waiting):
                task.cancel()
            await asyncio.wait({starting, waiting})
            await self.stop()

    def _signalled(self, number: signal.Signals, stopping: asyncio.Event) -> None:
        if not stopping.is_set():
            say(f"{number.name}: stopping")
            stopping.set()
        elif number is signal.SIGINT:
            say("stopping at once")
            self.kill()

"""E: keeps one child alive: first start, restart with back-off, orderly end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from gateway.processes.backoff import ending, next_delay
from gateway.processes.problem import StartError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from gateway.ports import Clock
    from gateway.processes.child import Program


class Running(Protocol):
    """A started child (child.Child)."""

    @property
    def pid(self) -> int:
        """Process id."""
        ...

    def tell(self, line: bytes) -> None:
        """Write a line to its standard input."""
        ...

    async def wait(self) -> int:
        """The exit code once it ended."""
        ...

    async def ready(self) -> bool:
        """True once it serves, false if it ended first."""
        ...

    async def stop(self, *, replaced: bool = False) -> int:
        """Ask it to end, insist after a while; the exit code. `replaced`: its successor serves already."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class Keeper:
    """One child and its successors under the same name."""

    def __init__(
        self,
        program: Program,
        pid_file: Path,
        clock: Clock,
        start: Callable[[Program], Awaitable[Running]],
        say: Callable[[str], None],
    ) -> None:
        self.program = program
        self._pid_file = pid_file
        self._clock = clock
        self._start = start
        self._say = say
        self._child: Running | None = None
        self._leaving: Running | None = None
        self._ended = False
        self._began = 0.0
        self._watch: asyncio.Task[None] | None = None
        self._line = b""

    async def start(self) -> None:
        """Start the child, wait until it serves, and keep it alive from then on.

        Raises:
            StartError: it can't be started, or ended before it served: trying again would not help.
        """
        name = self.program.name
        try:
            child = await self._spawn()
        except OSError as error:
            raise StartError(f"can't start {name}: {error.strerror}") from error
        if not await child.ready():
            log = f"; see {self.program.log}" if self.program.log else ""
            raise StartError(f"{name} ended before it served ({ending(await child.stop())}){log}")
        self._watch = asyncio.create_task(self._keep(child), name=f"keep {name}")

    async def stop(self) -> None:
        """End the child for good, in its own time."""
        self._ended = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        for child in (self._child, self._leaving):
            if child is not None:
                await child.stop()
        self._pid_file.unlink(missing_ok=True)

    async def replace(self) -> bool:
        """Start a successor, and once it serves end the child in its own time; False: it does not, and nothing changes.

        Whoever connects meanwhile is accepted by one of the two.
        """
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        before = self._leaving = self._child
        child = await self._successor()
        if self._ended:
            if child is not None:
                await child.stop()
            return False
        kept = child or before
        self._child = kept
        if kept is not None:
            self._pid_file.write_text(f"{kept.pid}\n")
            self._watch = asyncio.create_task(self._keep(kept), name=f"keep {self.program.name}")
        if child is not None and before is not None:
            await before.stop(replaced=True)
        self._leaving = None
        return child is not None

    async def _successor(self) -> Running | None:
        """Another child that serves; one that does not is gone."""
        try:
            child = await self._spawn()
        except OSError:
            return None
        if await child.ready():
            return child
        await child.stop()
        return None

    def kill(self) -> None:
        """End the child at once and for good; `stop`, running or to come, then returns soon."""
        self._ended = True
        if self._watch is not None:
            self._watch.cancel()
        for child in (self._child, self._leaving):
            if child is not None:
                child.kill()

    def renew(self, program: Program, line: bytes) -> None:
        """Tell the child a line; its successors run `program`, which says the same at their start."""
        self.program, self._line = program, line
        for child in (self._child, self._leaving):
            if child is not None:
                child.tell(line)

    async def _spawn(self) -> Running:
        program = self.program
        self._child = await self._start(program)
        if self.program is not program:
            self._child.tell(self._line)
        self._began = self._clock.monotonic()
        self._pid_file.write_text(f"{self._child.pid}\n")
        return self._child

    async def _keep(self, child: Running) -> None:
        delay: float | None = None
        while True:
            code = await child.wait()
            delay = next_delay(delay, self._clock.monotonic() - self._began)
            self._say(
                f"{self.program.name} (pid {child.pid}) ended with {ending(code)}; starting it again in {delay:g} s"
            )
            child, delay = await self._respawn(delay)

    async def _respawn(self, delay: float) -> tuple[Running, float]:
        """A successor, and the wait that came before it; a program that can't be executed waits longer and longer."""
        while True:
            await self._clock.sleep(delay)
            try:
                child = await self._spawn()
            except OSError as error:
                delay = next_delay(delay, 0)
                self._say(f"can't start {self.program.name}: {error.strerror}; trying again in {delay:g} s")
                continue
            if await child.ready():
                self._say(f"{self.program.name} serves again (pid {child.pid})")
            return child, delay

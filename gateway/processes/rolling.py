"""E: SIGUSR2 replaces the workers one after the other, and no request is lost by it."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.processes.data_dir import DataDir
    from gateway.processes.supervisor import Supervisor


class Rolling:
    """Rolling restarts of one gateway's workers, one restart at a time.

    A successor is started on the same listening socket; once it serves, its predecessor accepts nothing more, ends what
    it has begun and goes. One that does not serve ends the restart, and the old workers stay.
    """

    def __init__(
        self, supervisor: Supervisor, workers: Sequence[str], data_dir: DataDir, say: Callable[[str], None]
    ) -> None:
        """`workers`: the names of their programs."""
        self._supervisor = supervisor
        self._workers = workers
        self._data_dir = data_dir
        self._say = say
        self._task: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """Heed SIGUSR2 from now on."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, self.ask)

    def ask(self) -> None:
        """Begin a restart, unless one is under way."""
        if self._task is not None and not self._task.done():
            self._say("SIGUSR2: workers are being replaced already")
            return
        self._task = asyncio.get_running_loop().create_task(self._replace(), name="rolling restart")

    async def _replace(self) -> None:
        self._say(f"SIGUSR2: replacing {len(self._workers)} worker(s), one after the other")
        for name in self._workers:
            # Who takes a dead worker's place looks for its name here. This one lives on for a while.
            (self._data_dir.run / f"{name}.name").unlink(missing_ok=True)
            if not await self._supervisor.replace(name):
                self._say(f"the successor of {name} does not serve; the old workers stay")
                return
            self._say(f"{name} is replaced")
        self._say("all workers are replaced")

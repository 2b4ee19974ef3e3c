"""C: background tasks that are named, referenced until they end, and logged when they crash."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

_log = logging.getLogger("gateway.tasks")


class TaskGroup:
    """Owns background tasks, so that none is collected half way and shutdown can wait for all of them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watching: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, *, watching: bool = False) -> asyncio.Task[Any]:
        """Start `work` now; an exception in it is logged under `name`, never lost and never raised elsewhere.

        What is only `watching` others goes on while they do, and is not waited for.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        if watching:
            self._watching.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._watching.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background task %s failed: %s", task.get_name(), type(error).__name__, exc_info=error)

    async def drain(self, seconds: float) -> None:
        """Wait up to `seconds` for what is running, then cancel the rest and wait for that."""
        working = self._tasks - self._watching
        if working:
            await asyncio.wait(working, timeout=seconds)
        rest = set(self._tasks)
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest)

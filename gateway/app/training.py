"""E: the parts of trained classifiers put together: the store, the thread that learns, the desk."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from gateway.stores.redis.classifiers import RedisClassifiers
from gateway.training.shelf import Shelf
from gateway.training.transactions import TrainingDesk

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import Clock, Observer
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys
    from gateway.tasks import TaskGroup

T = TypeVar("T")


class Trainer:
    """One thread a worker: learning takes at most some seconds, and more threads would only take turns."""

    def __init__(  # noqa: PLR0913 - the composition root hands over each part once
        self, line: Line, keys: Keys, clock: Clock, tasks: TaskGroup, observer: Observer, *, lock_seconds: float
    ) -> None:
        self._thread = ThreadPoolExecutor(1, "trainer")
        self.shelf = Shelf(RedisClassifiers(line, keys), clock, tasks, observer, lock_seconds)
        self.desk = TrainingDesk(self.shelf, clock, self._run)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """End the thread; what still waits for it is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

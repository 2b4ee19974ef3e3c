"""E: connections to the store, and commands that neither cancellation nor a slow server can leave half done."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from gateway.tasks import TaskGroup

T = TypeVar("T")

CONNECTIONS = 32
"""Most connections one process opens for one role; further commands wait for a free one."""


def connect(url: str, timeout_seconds: float, connections: int = CONNECTIONS) -> Redis:
    """A client for a redis://, rediss:// or unix:// address; it connects on first use.

    Nothing is retried: a command that timed out may have run, and only its caller knows whether it may run twice.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        decode_responses=False,
        protocol=2,
        driver_info=None,
    )
    return Redis.from_pool(pool)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns every failure of the store into StoreError; the server's sentence may quote input and is dropped."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreError(type(error).__name__) from error


class Line:
    """Asks the store in tasks of their own, which a cancelled request cannot interrupt.

    A command that is cut off between its request and its reply would leave that reply on a pooled connection for
    somebody else. Here the waiting caller may go away; the command ends by itself, at the latest by the client's
    timeouts, and its task is in `tasks`, so that shutdown waits for it.
    """

    def __init__(self, client: Redis, tasks: TaskGroup, timeout_seconds: float) -> None:
        self.client = client
        self._tasks = tasks
        self._timeout = timeout_seconds

    async def ask(self, work: Awaitable[T], name: str) -> T:
        """The result of `work`, which talks to `client`.

        Raises:
            StoreError: the store failed, or did not answer within the timeout (then `work` may still take effect).
        """
        task = self._tasks.spawn(_outcome(work), name)
        await asyncio.wait({task}, timeout=self._timeout)
        if not task.done():
            raise StoreError("no answer in time")
        outcome: T | StoreError = task.result()
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome


async def _outcome(work: Awaitable[T]) -> T | StoreError:
    """An expected failure as a value, since nobody may be waiting any more."""
    try:
        with store_errors():
            return await work
    except StoreError as error:
        return error

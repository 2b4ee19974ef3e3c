"""E: connections to the store, and commands that neither cancellation nor a slow server can leave half done."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.tasks import TaskGroup

Field: TypeAlias = bytes | str | int
Question: TypeAlias = tuple[tuple[Field, ...], "asyncio.Future[Any]"]

BATCH = 64
"""Most commands in one pipeline; what is beyond goes out beside it, on another connection."""

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


class MissingScriptError(StoreError):
    """The server does not know a script's digest (any more); nothing ran."""


class Line:
    """Asks the store in batches: whatever is asked in one turn of the event loop goes out in one pipeline.

    The cost of a command lies in the call, not in its bytes, so under load a batch of ten costs little more than one.
    A batch runs in a task of its own, which no cancelled request can interrupt: a command cut off between request
    and reply would leave that reply on a pooled connection for somebody else. A waiting caller may go away; the batch
    ends by itself, at the latest by the client's timeouts, and its task is in `tasks`, so that shutdown waits for it.
    """

    def __init__(self, client: Redis, tasks: TaskGroup, timeout_seconds: float) -> None:
        self.client = client
        self._tasks = tasks
        self._timeout = timeout_seconds
        self._waiting: list[Question] = []

    async def ask(self, *command: Field) -> Any:  # noqa: ANN401 - each command has its own reply
        """The reply to one command, given by its words.

        Raises:
            MissingScriptError: EVALSHA of a script that the server does not have.
            StoreError: the store failed, or did not answer within the timeout (then the command may still take
                effect).
        """
        return await self.queue(*command)

    def queue(self, *command: Field) -> asyncio.Future[Any]:
        """The reply to come; what is queued in one turn of the event loop goes out together. Fails as `ask` does."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((command, reply))
        if len(self._waiting) == 1:
            loop.call_soon(self._send)
        return reply

    def _send(self) -> None:
        batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        loop = asyncio.get_running_loop()
        if self._waiting:
            loop.call_soon(self._send)
        late = loop.call_later(self._timeout, _answer, batch, [StoreError("no answer in time")] * len(batch))
        self._tasks.spawn(self._run(batch), "store batch").add_done_callback(lambda _: late.cancel())

    async def _run(self, batch: Sequence[Question]) -> None:
        replies: Sequence[Any] = [StoreError("cancelled")] * len(batch)
        try:
            with store_errors():
                pipeline = self.client.pipeline(transaction=False)
                for command, _ in batch:
                    pipeline.execute_command(*command)
                replies = await pipeline.execute(raise_on_error=False)
        except StoreError as error:
            replies = [error] * len(batch)
        finally:
            _answer(batch, replies)


def _answer(batch: Sequence[Question], replies: Sequence[Any]) -> None:
    """Give every caller that still waits its reply."""
    for (_, waiting), reply in zip(batch, replies, strict=True):
        if waiting.done():
            continue
        if isinstance(reply, NoScriptError):
            waiting.set_exception(MissingScriptError(type(reply).__name__))
        elif isinstance(reply, StoreError):
            waiting.set_exception(StoreError(str(reply)))
        elif isinstance(reply, Exception):
            waiting.set_exception(StoreError(type(reply).__name__))
        else:
            waiting.set_result(reply)

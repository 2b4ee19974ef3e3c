"""E: connections to the store, and commands that neither cancellation nor a slow server can leave half done."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, overload

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.errors import StoreError
from gateway.stores.redis.cluster import FAILURES, Cluster, Command, Field, as_it_comes
from gateway.stores.redis.failures import told
from gateway.stores.redis.many import Many
from gateway.stores.redis.wire import LateError, LostError, Wires

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from redis.asyncio.cluster import ClusterNode

    from gateway.tasks import TaskGroup

Client: TypeAlias = Redis | Cluster
Answered: TypeAlias = "Callable[[Any], None]"
Question: TypeAlias = tuple["Sequence[Field]", Answered]

BATCH = 64
"""Most commands in one pipeline of redis-py; what is beyond goes out beside it, on another connection."""

CONNECTIONS = 32
"""Most connections one process opens for one role; further commands wait for a free one."""


@overload
def connect(
    url: str, timeout_seconds: float, connections: int = CONNECTIONS, *, cluster: Literal[False] = False
) -> Redis: ...
@overload
def connect(url: str, timeout_seconds: float, connections: int = CONNECTIONS, *, cluster: bool) -> Client: ...
def connect(url: str, timeout_seconds: float, connections: int = CONNECTIONS, *, cluster: bool = False) -> Client:
    """A client for a redis://, rediss:// or unix:// address, or for the cluster a node of which is there.

    It connects on first use. Nothing is retried: a command that timed out may have run, and only its caller knows
    whether it may run twice.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "health_check_interval": 0,
        "decode_responses": False,
        "protocol": 2,
        "driver_info": None,
    }
    if cluster:
        address: dict[str, Any] = dict(parse_url(url))
        return Cluster(connections, ssl=address.pop("connection_class", None) is not None, **options | address)
    pool = BlockingConnectionPool.from_url(
        url, max_connections=connections, timeout=timeout_seconds, retry=Retry(NoBackoff(), 0), **options
    )
    return Store(pool, timeout_seconds)


class Store(Redis):
    """A client, and its lean connections (None where the server is reached in another way than they know)."""

    def __init__(self, pool: BlockingConnectionPool, timeout_seconds: float) -> None:
        super().__init__(connection_pool=pool)
        self.set_response_callback("SET", as_it_comes)  # type: ignore[arg-type] # its protocol wants a parameter's name
        self.auto_close_connection_pool = True
        self.wires = Wires(pool, timeout_seconds) if Wires.reach(pool) else None

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's signature
        """End every connection, once what is being answered is."""
        if self.wires is not None:
            await self.wires.close()
        await super().aclose(close_connection_pool)


async def ask_all(client: Client, commands: Sequence[Command], node: ClusterNode | None = None) -> list[Any]:
    """The replies to commands that go out together, errors among them; `node` is for a cluster."""
    if isinstance(client, Cluster):
        return await client.ask(commands, node)
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return await pipeline.execute(raise_on_error=False)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns every failure of the store into StoreError; the server's sentence may quote input and is dropped."""
    try:
        yield
    except FAILURES as error:
        raise StoreError(type(error).__name__) from error


class Line:
    """Asks the store in batches: whatever is asked in one turn of the event loop goes out in one pipeline.

    The cost of a command lies in the call, not in its bytes, so under load a batch of ten costs little more than one.
    It goes by a lean connection, or else by redis-py in a task of its own, which no cancelled request can interrupt: a
    command cut off between request and reply would leave that reply on a pooled connection for somebody else. A waiting
    caller may go away; the batch ends by itself, at the latest by the client's timeouts; shutdown waits for it, by
    `tasks` or as the client is closed.
    On a cluster each node has a batch of its own, and a command names its key right after its name.
    After a batch that had no answer everything fails at once for `rest_seconds` (not on a cluster, whose other nodes
    may answer). `turn` counts the batches. `clustered`: keys are spread over servers, so that no command may name two
    that share no tag.
    """

    def __init__(self, client: Client, tasks: TaskGroup, timeout_seconds: float, rest_seconds: float = 0.0) -> None:
        self.client = client
        self._tasks = tasks
        self._timeout = timeout_seconds
        self.clustered = isinstance(client, Cluster)
        self._rest_seconds = 0.0 if self.clustered else rest_seconds
        self._rests_until = 0.0
        self._waiting: list[Question | Many] = []
        self._ordered = False
        self.turn = 0
        self._wires = client.wires if isinstance(client, Store) else None
        callbacks: Any = client.response_callbacks if self._wires else {}
        self._read: Mapping[Field, Callable[[Any], Any]] = dict(callbacks)

    @property
    def resting(self) -> bool:
        """Whether nothing is asked now, as there was no answer a moment ago."""
        return asyncio.get_running_loop().time() < self._rests_until

    @property
    def in_order(self) -> bool:
        """Whether what is sent in one turn of the event loop is done in that order, and what is sent `ordered` ever."""
        return self._wires is not None

    async def ask(self, *command: Field) -> Any:  # noqa: ANN401 - each command has its own reply
        """The reply to one command, given by its words.

        Raises:
            MissingScriptError: EVALSHA of a script that the server does not have.
            StoreError: the store failed, or did not answer within the timeout (then the command may still take
                effect).
        """
        return await self.queue(*command)

    def queue(self, *command: Field, ordered: bool = False) -> asyncio.Future[Any]:
        """The reply to come; what is queued in one turn of the event loop goes out together. Fails as `ask` does."""
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.send(command, partial(_settle, reply), ordered=ordered)
        return reply

    def send(self, command: Sequence[Field], answered: Answered, *, ordered: bool = False) -> None:
        """As `queue`, for who is called back: once, later, with the reply or what `ask` would raise.

        The command may grow as long as `turn` stays the same. Where the line is `in_order`, an `ordered` command is
        done after all that were sent so before it and have not failed.
        """
        loop = asyncio.get_running_loop()
        if self._rests_until and loop.time() < self._rests_until:
            loop.call_soon(answered, StoreError("skipped"))
            return
        self._ordered = self._ordered or ordered
        self._waiting.append((command, answered))
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)

    def queue_all(self, commands: Sequence[Command], *, ordered: bool = False) -> asyncio.Future[list[Any]]:
        """The replies to several commands, in order, errors among them as `ask` would raise them; it fails never.

        A command costs half of what it costs by itself. What is no error comes as the server gives it, or as redis-py
        reads that; both are alike in truth, and bytes and numbers are the same.
        """
        many = Many(commands, self._errors)
        loop = asyncio.get_running_loop()
        if self._wires is None or loop.time() < self._rests_until:
            for at, command in enumerate(commands):
                self.send(command, partial(many.take, at))
        elif commands:
            self._ordered = self._ordered or ordered
            self._waiting.append(many)
            if len(self._waiting) == 1:
                loop.call_soon(self._flush)
        return many.told

    def _errors(self, replies: list[Any]) -> list[Any]:
        """What came to several commands, with errors as they are handed over."""
        kinds = set(map(type, replies))
        if not any(issubclass(kind, Exception) for kind in kinds):
            return replies
        if kinds & {LostError, LateError}:
            self._rest()
        return [told(reply) if isinstance(reply, Exception) else reply for reply in replies]

    def _flush(self) -> None:
        self.turn += 1
        if self._wires is not None:
            waiting, self._waiting = self._waiting, []
            ordered, self._ordered = self._ordered, False
            commands: list[Command] = []
            takers: list[Answered] = []
            for asked in waiting:
                if isinstance(asked, Many):
                    commands += asked.commands
                    takers += asked.takers
                else:
                    command, answered = asked
                    commands.append(tuple(command))
                    takers.append(partial(self._take, self._read.get(command[0]), answered))
            self._wires.send(commands, takers, ordered=ordered)
            return
        batch = cast("list[Question]", self._waiting[:BATCH])  # see queue_all
        self._waiting = self._waiting[BATCH:]
        loop = asyncio.get_running_loop()
        if self._waiting:
            loop.call_soon(self._flush)
        for part in self._apart(batch):
            self._begin(part)

    def _take(self, read: Callable[[Any], Any] | None, answered: Answered, reply: Any) -> None:  # noqa: ANN401 - each command has its own reply
        """Hand over a lean connection's reply, in the form that redis-py gives it."""
        if isinstance(reply, Exception):
            if isinstance(reply, (LostError, LateError)):
                self._rest()
                reply = StoreError(str(reply))
        elif read is not None:
            reply = read(reply)
        hand_over(answered, reply)

    def _begin(self, batch: list[Question]) -> None:
        loop = asyncio.get_running_loop()
        late = loop.call_later(self._timeout, self._give_up, batch)
        self._tasks.spawn(self._run(batch), "store batch").add_done_callback(lambda _: late.cancel())

    def _give_up(self, batch: list[Question]) -> None:
        self._rest()
        _answer_all(batch, [StoreError("no answer in time")] * len(batch))

    def _rest(self) -> None:
        """Ask nothing for a while, so that not every request waits for a server that hangs."""
        self._rests_until = asyncio.get_running_loop().time() + self._rest_seconds

    def _apart(self, batch: list[Question]) -> list[list[Question]]:
        """Nobody waits for a node that another's command goes to."""
        if not isinstance(self.client, Cluster):
            return [batch]
        parts = self.client.apart([tuple(command) for command, _ in batch])
        return [[batch[position] for position in part] for part in parts]

    async def _run(self, batch: list[Question]) -> None:
        commands = [tuple(command) for command, _ in batch]
        replies: Sequence[Any] = [StoreError("cancelled")] * len(commands)
        try:
            with store_errors():
                replies = await ask_all(self.client, commands)
        except StoreError as error:
            self._rest()
            replies = [error] * len(commands)
        finally:
            _answer_all(batch, replies)
        if isinstance(self.client, Cluster):
            await self.client.look_again(replies)


def _answer_all(batch: list[Question], replies: Sequence[Any]) -> None:
    """Give every caller its reply, unless all have theirs."""
    asked, batch[:] = list(batch), []
    for (_, answered), reply in zip(asked, replies, strict=False):
        hand_over(answered, reply)


def hand_over(answered: Answered, reply: object) -> None:
    """Give one caller its reply, errors as StoreError; one that fails over it is alone with that."""
    if isinstance(reply, Exception):
        reply = told(reply)
    try:
        answered(reply)
    except Exception as error:  # noqa: BLE001 - the others wait for theirs on the same connection
        failed = {"message": "a reply of the store was not taken", "exception": error}
        asyncio.get_running_loop().call_exception_handler(failed)


def _settle(waiting: asyncio.Future[Any], reply: object) -> None:
    """Give a caller that still waits its reply."""
    if waiting.done():
        return
    if not isinstance(reply, Exception):
        waiting.set_result(reply)
        return
    waiting.set_exception(reply)
    waiting.exception()  # whoever waited may have heard of another's failure before

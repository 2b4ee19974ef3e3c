"""E: a Redis Cluster: each command goes to the node that has its key, together with all that go there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    RedisClusterException,
    RedisError,
)
from redis.exceptions import (
    ConnectionError as NoConnectionError,
)
from redis.exceptions import (
    TimeoutError as NoReplyError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from redis.asyncio.cluster import ClusterNode

Field: TypeAlias = bytes | str | int
Command: TypeAlias = tuple[Field, ...]
Route: TypeAlias = tuple["ClusterNode", bool, Command]
"""Where a command goes, and whether ASKING goes before it."""

REDIRECTS = 3
"""A command that is sent on more often is not followed: the nodes do not agree where its key is."""

LOOK_SECONDS = 0.5
"""Least time between two looks at who has which slots."""

FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)

_SCRIPTS = {"EVALSHA", "EVAL"}
_FIRST_KEY, _FIRST_KEY_OF_SCRIPT = 1, 3


def as_it_comes(reply: Any, **_: Any) -> Any:  # noqa: ANN401 - what a server answers
    """SET may answer with what was there before, which redis-py would take for a failure."""
    return reply


class Cluster(RedisCluster):
    """A client that sends no command a second time, but for one that a node refused because another has its key.

    redis-py's own pipelines would not do: where one node fails they lose the replies of the others, they do not look
    where the slots went, they turn away what finds no free connection, and ASKING may go out on another connection
    than the command it is for.
    """

    def __init__(self, connections: int, **options: Any) -> None:  # noqa: ANN401 - what redis-py takes
        """At most `connections` batches run at each node; as many connections are left for redirected ones."""
        super().__init__(max_connections=2 * connections, retry=Retry(NoBackoff(), 0), reinitialize_steps=0, **options)
        self.set_response_callback("SET", as_it_comes)  # type: ignore[arg-type] # its protocol wants a parameter's name
        self._room = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(connections))
        self._looked = float("-inf")

    def apart(self, commands: Sequence[Command]) -> list[list[int]]:
        """Positions of the commands, by the node they go to; all in one while the nodes are not known."""
        parts: defaultdict[str, list[int]] = defaultdict(list)
        try:
            for position, command in enumerate(commands):
                parts[self._home(command).name].append(position)
        except RedisClusterException:
            return [list(range(len(commands)))]
        return list(parts.values())

    async def ask(self, commands: Sequence[Command], node: ClusterNode | None = None) -> list[Any]:
        """The reply to each command, or its error; from one node if it is given, else from where the keys are.

        Raises:
            RedisClusterException: no node says who has which keys.
        """
        await self.initialize()
        replies = await self._send([(node or self._home(command), False, command) for command in commands])
        for _ in range(REDIRECTS):
            elsewhere = [at for at, reply in enumerate(replies) if isinstance(reply, AskError)]
            if not elsewhere:
                break
            routes = [await self._redirected(commands[at], replies[at]) for at in elsewhere]
            for at, reply in zip(elsewhere, await self._send(routes), strict=True):
                replies[at] = reply
        return replies

    async def look_again(self, replies: Iterable[object]) -> None:
        """Learn who has which slots now, if a reply says that something changed; at most twice a second."""
        gone = (NoConnectionError, NoReplyError, ClusterDownError, RedisClusterException, OSError)
        now = asyncio.get_running_loop().time()
        if now - self._looked < LOOK_SECONDS or not any(isinstance(reply, gone) for reply in replies):
            return
        self._looked = now
        try:
            await self.nodes_manager.initialize()
        except FAILURES:  # nobody knows; the next failure looks again
            self._looked = asyncio.get_running_loop().time()

    async def aclose(self) -> None:
        """Close every connection; redis-py closes none when the last command failed."""
        await super().aclose()
        for nodes in ("nodes_cache", "startup_nodes"):
            await self.nodes_manager.aclose(nodes)

    def _home(self, command: Command) -> ClusterNode:
        """The node that has a command's keys. Raises RedisClusterException."""
        key = command[_FIRST_KEY_OF_SCRIPT if command[0] in _SCRIPTS else _FIRST_KEY]
        node = self.get_node_from_key(key)  # type: ignore[arg-type] # it takes what can be encoded
        if node is None:
            raise RedisClusterException("no node has that slot")
        return node

    async def _redirected(self, command: Command, reply: AskError) -> Route:
        """Where a command goes after MOVED, which holds from now on, or ASK, which holds for this once."""
        moved = isinstance(reply, MovedError)
        node = None if moved else self.get_node(host=reply.host, port=reply.port)
        if node is None:
            await self.nodes_manager.move_slot(reply)
            node = self._home(command)
        return node, not moved, command

    async def _send(self, routes: Sequence[Route]) -> list[Any]:
        """What each node is asked goes out in one batch, in order; a node that fails spoils nobody else's replies."""
        replies: list[Any] = [None] * len(routes)
        batches: defaultdict[tuple[str, bool], list[int]] = defaultdict(list)
        for at, (node, asking, _) in enumerate(routes):
            batches[node.name, asking].append(at)

        async def run(positions: list[int]) -> None:
            batch = [routes[at] for at in positions]
            for at, reply in zip(positions, await self._batch(batch), strict=True):
                replies[at] = reply

        await asyncio.gather(*map(run, batches.values()))
        return replies

    async def _batch(self, routes: Sequence[Route]) -> list[Any]:
        node = routes[0][0]
        pipeline = self.pipeline()
        for _, asking, command in routes:
            if asking:
                pipeline.execute_command("ASKING", target_nodes=node)
            pipeline.execute_command(*command, target_nodes=node)
        step = 2 if routes[0][1] else 1
        try:
            async with self._room[node.name]:
                return (await pipeline.execute(raise_on_error=False, allow_redirections=False))[step - 1 :: step]
        except FAILURES as error:
            return [error] * len(routes)

"""Calls that miss in one moment, on a gateway on fakes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from fakes.gateway import SEARCH_KEY, configured
from fakes.jina_upstream import KEY
from fakes.talk import ONE, Talk, talking, wire

from gateway.config.backends import Backend
from gateway.config.schema import Tier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

WIDE = {"small": Tier(rpm=10_000, concurrency=100)}
"""Tokens are not limited: of a limit a worker has so much idle as was used lately, and who wants more waits for it."""

OTHER_FIELD = orjson.dumps({"detail": "no", "errors": [{"field": "body -> task", "message": "no", "type": "x"}]})
"""A refusal that says nothing of any text."""


def wide(**changes: Any) -> Any:
    return configured(**({"tiers": WIDE} | changes))


def served_by(**settings: Any) -> dict[str, Any]:
    """A configuration's backends."""
    return {"backends": {"jina": Backend(dialect="jina", url="http://upstream", key=KEY, **settings)}}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0)


@asynccontextmanager
async def missing(
    config: Any, texts: Sequence[str], keys: Sequence[str] = ()
) -> AsyncIterator[tuple[Any, list[Talk], Callable[[], None]]]:
    """Calls for these texts, by these keys, whose look-up in the store ends for all at once when `answered` is called.

    The upstream has been asked for "a" by each key before, and for nothing else.
    """
    keys = keys or [SEARCH_KEY] * len(texts)
    async with AsyncExitStack() as stack:
        served, line = await stack.enter_async_context(talking(config))
        for key in dict.fromkeys(keys):
            assert (await line.ask(wire(ONE, key)))[0] == 200
        served.gateway.upstream.calls.clear()
        layer = served.gateway.layer
        looked: list[Any] = []
        own, layer.fetch = layer.fetch, lambda keys, done: looked.append((keys, done))
        lines = []
        for at, (text, key) in enumerate(zip(texts, keys, strict=True)):
            reader, writer = await asyncio.open_connection(*served.address)
            stack.callback(writer.close)
            lines.append(Talk(reader, writer))
            await lines[-1].send(wire(ONE | {"input": text}, key))
            await until(lambda at=at: len(looked) == at + 1)  # type: ignore[misc]

        def answered() -> None:
            layer.fetch = own
            for keys, done in looked:
                done([None] * len(keys))

        yield served, lines, answered
        await until(lambda: served.gateway.used("search").slots == 0)
        assert not any(any(lease.busy) for lease in served.gateway.leases.held)


async def told(lines: Sequence[Talk]) -> list[tuple[int, dict[str, str], Any]]:
    found = []
    async with asyncio.timeout(10):
        for line in lines:
            status, fields, body = await line.answer()
            found.append((status, fields, orjson.loads(body)))
    return found


def lists(served: Any) -> list[list[str]]:
    return [call["input"] for call in served.gateway.upstream.calls]

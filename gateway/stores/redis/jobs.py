"""E: batch jobs in Redis (ports.Jobs): a hash a job, held steps by when their leases end, each change one script."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import StoreError
from gateway.ports.jobs import Batch, Order, State, Step, Tally, Turn
from gateway.stores.redis.scripts import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

KEEP_EXPIRED = 7 * 86_400
"""Seconds that an expired job can still be seen."""

NO_LINES = "The input has no lines"
NO_ANSWERS = "No line of the input was answered; the error file says why"

_LOOKS = 16
"""Jobs that are looked at for something to do before the caller waits."""

_MS = 1_000
_STEPS = {"p": Step.PREPARE, "t": Step.TELL, "x": Step.EXPIRE}
_WORDS = {step: word for word, step in _STEPS.items()}


class RedisJobs:
    """Time is the server's; `clock_ms` replaces it in tests only. All keys share a tag, so one server has all jobs."""

    def __init__(self, line: Line, keys: Keys, clock_ms: Callable[[], int] | None = None) -> None:
        self._line = line
        self._keys = keys
        self._clock_ms = clock_ms
        names = ("create", "due", "take", "keep", "prepared", "done", "end", "settled")
        self._scripts = {name: Script("ring", "job", f"job_{name}") for name in names}

    async def create(self, order: Order, total: int | None, most: int) -> bool:
        """As Jobs.create. Raises StoreError."""
        more = (self._keys.jobs_of(order.tenant)[1], self._keys.jobs[1])
        record = orjson.dumps(astuple(order)).decode()
        tell = int(bool(order.webhook_url))
        lines = "" if total is None else total
        return bool(await self._run("create", order, record, order.expires * _MS, tell, lines, most, more=more))

    async def get(self, name: str) -> Batch | None:
        """As Jobs.get. Raises StoreError."""
        return _batch(await self._line.ask("HGETALL", self._keys.job(name)[0]))

    async def newest(self, tenant: str | None, limit: int) -> list[Batch]:
        """As Jobs.newest; what was forgotten is taken off the list. Raises StoreError."""
        index = self._keys.jobs[1] if tenant is None else self._keys.jobs_of(tenant)[1]
        names = [bytes(name).decode() for name in await self._line.ask("ZREVRANGE", index, 0, limit - 1)]
        found = await asyncio.gather(*(self.get(name) for name in names))
        gone = [name for name, batch in zip(names, found, strict=True) if batch is None]
        if gone:
            await self._line.ask("ZREM", index, *gone)
        return [batch for batch in found if batch is not None]

    async def end(self, name: str, state: State, error: str = "") -> bool:
        """As Jobs.end. Raises StoreError."""
        batch = await self.get(name)
        return batch is not None and bool(await self._run("end", batch.order, state.value, error))

    async def take(self, at_once: int, lease_seconds: float) -> Turn | None:
        """As Jobs.take. Raises StoreError."""
        for name in await self._scripts["due"].run(self._line, self._keys.jobs[:1], (self._now(), "", _LOOKS)):
            batch = await self.get(bytes(name).decode())
            if batch is None:
                await self._line.ask("ZREM", self._keys.jobs[0], name)
                continue
            token = secrets.token_hex(8)
            taken = await self._run("take", batch.order, int(lease_seconds * _MS), at_once, token)
            if taken:
                return _turn(batch, taken, token)
        return None

    async def keep(self, turn: Turn, lease_seconds: float) -> State | None:
        """As Jobs.keep. Raises StoreError."""
        return _state(await self._run("keep", turn.batch.order, *_word(turn), int(lease_seconds * _MS), 0))

    async def put_off(self, turn: Turn, seconds: float) -> None:
        """As Jobs.put_off. Raises StoreError."""
        await self._run("keep", turn.batch.order, *_word(turn), int(seconds * _MS), 1)

    async def prepared(self, turn: Turn, chunks: int, total: int) -> State | None:
        """As Jobs.prepared. Raises StoreError."""
        return _state(await self._run("prepared", turn.batch.order, turn.token, chunks, total, NO_LINES))

    async def done(self, turn: Turn, tally: Tally) -> State | None:
        """As Jobs.done. Raises StoreError."""
        return _state(await self._run("done", turn.batch.order, *_word(turn), *astuple(tally), NO_ANSWERS))

    async def settled(self, turn: Turn) -> None:
        """As Jobs.settled. Raises StoreError."""
        await self._run("settled", turn.batch.order, *_word(turn), KEEP_EXPIRED)

    async def _run(self, name: str, order: Order, *arguments: str | int, more: Sequence[str] = ()) -> Any:  # noqa: ANN401 - each script has its own reply
        keys = (self._keys.jobs[0], *self._keys.job(order.id), self._keys.jobs_of(order.tenant)[0], *more)
        return await self._scripts[name].run(self._line, keys, (self._now(), order.id, *arguments))

    def _now(self) -> str | int:
        return "" if self._clock_ms is None else self._clock_ms()


def _word(turn: Turn) -> tuple[str, str]:
    """A step as the scripts name it, and the token under which it was taken."""
    return _WORDS.get(turn.step, str(turn.chunk)), turn.token


def _turn(batch: Batch, taken: Sequence[bytes], token: str) -> Turn:
    word = taken[0].decode()
    step = _STEPS.get(word, Step.CHUNK)
    return Turn(batch, step, int(word) if step is Step.CHUNK else 0, begun=taken[1] == b"1", token=token)


def _state(word: bytes) -> State | None:
    return State(word.decode()) if word else None


def _batch(fields: Mapping[bytes, bytes]) -> Batch | None:
    if not fields:
        return None

    def number(name: bytes) -> int | None:
        return int(fields[name]) if name in fields else None

    try:
        ended = number(b"ended")
        return Batch(
            Order(*orjson.loads(fields[b"order"])),
            State(fields[b"state"].decode()),
            number(b"total"),
            number(b"chunks"),
            Tally(*(number(name) or 0 for name in (b"completed", b"failed", b"tokens"))),
            None if ended is None else ended // _MS,
            fields.get(b"error", b"").decode(),
        )
    except (ValueError, KeyError, TypeError):
        raise StoreError("a job's record is damaged") from None

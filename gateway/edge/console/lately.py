"""C: the last minutes of all workers, as pages and `gateway top` show them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import orjson

from gateway.edge.console.curves import Line, milliseconds, percent, plot, short, usd
from gateway.ports.live import SLOT_SECONDS
from gateway.settle.recent import Recent, busiest, series, slot_of, stretch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gateway.edge.console.curves import Plot
    from gateway.ports import Clock
    from gateway.ports.live import Live
    from gateway.settle.recent import Slots

SHOWN_SECONDS = 900
POINT_SECONDS = 15
"""A point of a chart is three slots: quick enough to watch, and calm enough to read."""

FRESH_SECONDS = 3 * SLOT_SECONDS
"""A worker whose last word is older does not run any more, or cannot reach the store."""

_TOLD_SECONDS = 2
"""After its end, every worker has told of a slot."""

_FORGOTTEN_SECONDS = 60
_WIDE = POINT_SECONDS // SLOT_SECONDS
_MINUTE = 60 // SLOT_SECONDS


class Lately:
    """One for a worker. Slots that are over are remembered, so that a page asks for few."""

    def __init__(self, live: Live, clock: Clock) -> None:
        self._live = live
        self._clock = clock
        self._over: dict[int, Mapping[str, int]] = {}

    async def slots(self) -> tuple[Slots, int]:
        """What is known, and the first slot that is not over yet. Raises StoreError."""
        until = slot_of(self._clock.epoch() - _TOLD_SECONDS)
        first = until - SHOWN_SECONDS // SLOT_SECONDS
        old = [slot for slot in self._over if slot < first]
        for slot in old:
            del self._over[slot]
        start = next((slot for slot in range(first, until) if slot not in self._over), until)
        found = await self._live.slots(start, until)
        settled = until - 2 * _WIDE
        self._over |= {slot: amounts for slot, amounts in found.items() if slot < settled}
        return {**self._over, **found}, until

    async def reports(self) -> list[dict[str, Any]]:
        """Each living worker's last word. Raises StoreError."""
        now, words = self._clock.epoch(), await self._live.reports()
        read: dict[str, dict[str, Any]] = {worker: orjson.loads(text) for worker, text in words.items()}
        gone = [worker for worker, word in read.items() if now - word["at"] > _FORGOTTEN_SECONDS]
        await asyncio.gather(*(self._live.forget(worker) for worker in gone))
        return [word for word in read.values() if now - word["at"] <= FRESH_SECONDS]


def word(now: int, places: Sequence[tuple[str, str, str, int]]) -> bytes:
    """A worker's word: backend, model, state and tokens under way of each place."""
    return orjson.dumps({"at": now, "places": places})


def states(reports: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[Counter[str], int]]:
    """By backend and model: how many workers find it in which state, and the tokens that all have under way there."""
    found: dict[tuple[str, str], tuple[Counter[str], int]] = {}
    for report in reports:
        for backend, model, state, tokens in report["places"]:
            counted, under_way = found.get((backend, model), (Counter(), 0))
            counted[state] += 1
            found[backend, model] = (counted, under_way + tokens)
    return found


def minute(slots: Slots, until: int) -> Recent:
    """The last whole minute."""
    return stretch(slots, until - _MINUTE, until)


def newest(slots: Slots, until: int) -> Recent:
    """The last quarter of a minute."""
    return stretch(slots, until - _WIDE, until)


def top_tenants(slots: Slots, until: int, count: int) -> list[tuple[str, float]]:
    """Who had the most tokens in the last minute, by the second."""
    return busiest(slots, until - _MINUTE, until, count)


def plots(slots: Slots, until: int) -> list[Plot]:
    """The overview's charts."""
    points = series(slots, until, SHOWN_SECONDS // POINT_SECONDS, _WIDE)

    def line(name: str, kind: str, field: str, times: float = 1.0) -> Line:
        values = [getattr(point, field) for point in points]
        return Line(name, kind, [None if value is None else value * times for value in values])

    answers = [line("all", "one", "requests"), line("refused", "two", "refused"), line("failed", "bad", "failed")]
    return [
        plot("Requests a second", answers, short),
        plot("Inputs answered from the cache", [line("hit share", "one", "hit_share")], percent, 1.0),
        plot("Latency", [line("p50", "one", "p50"), line("p99", "two", "p99")], milliseconds),
        plot("Tokens a second", [line("paid for", "one", "paid"), line("saved", "two", "saved")], short),
        plot("Money saved an hour", [line("at this pace", "two", "saved_usd", 3_600)], usd),
        plot("Calls to backends a second", [line("calls", "one", "upstream")], short),
    ]

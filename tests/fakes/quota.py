"""P: a quota store (ports.QuotaStore) in Python on a virtual clock: the same buckets, without a server."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.ports import Amounts, Census, Grant, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.ports import Statement
    from gateway.vocabulary import Meter

COUNTED = 61
QUIET = 0.8
LONG = 55.0
SILENT = 55.0
HOLD = 1.2
KEPT = 300.0
RECENT = 1.0
ORDER = ((0, "requests"), (2, "concurrency"), (1, "tokens"))


@dataclass
class Holder:
    number: int = 0
    held: list[int] = field(default_factory=lambda: [0, 0, 0])
    idle: list[int] = field(default_factory=lambda: [0, 0, 0])
    until: float = 0.0
    at: float = 0.0
    reply: Grant | None = None
    charged: int | None = None


@dataclass
class Subject:
    spent: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    holders: dict[str, Holder] = field(default_factory=dict)
    gone: dict[str, Holder] = field(default_factory=dict)
    period: int | None = None
    seeded: int = -1
    quiet: float = 0.0
    run: str = ""
    called: float = -RECENT

    def ring(self, bucket: int, *, ages: bool) -> list[int]:
        counted = [entry for at, entry in self.spent.items() if not ages or bucket - COUNTED < at <= bucket]
        return [sum(entry[0] for entry in counted), sum(entry[1] for entry in counted), 0]

    def held(self) -> list[int]:
        return [sum(holder.held[at] for holder in self.holders.values()) for at in range(3)]

    def idle(self) -> list[int]:
        return [sum(holder.idle[at] for holder in self.holders.values()) for at in range(3)]


class FakeQuota:
    """`down` makes every call fail; `run` is the server's run id, `calls_back` the subjects named to other workers."""

    def __init__(self, clock_ms: Callable[[], int], lease_seconds: float = 15.0) -> None:
        self.down = False
        self.run = "1"
        self.statements: list[Statement] = []
        self.calls_back: list[str] = []
        self.on_call_back: Callable[[str], object] = lambda _: None
        self._clock_ms = clock_ms
        self._lease = lease_seconds
        self._subjects: dict[str, Subject] = defaultdict(Subject)
        self._heard: dict[str, float] = {}
        self._absence: float | None = None
        self._back, self._former, self._hold = False, 1, (0.0, 0)
        self.started = -inf
        self._hits: dict[str, list[int]] = defaultdict(list)

    def forget(self) -> None:
        """The server starts again, empty."""
        self._subjects.clear()
        self._heard.clear()
        self._absence, self._hold = None, (0.0, 0)
        self.run += "1"
        self.started = self._clock_ms() / 1_000

    def usage(self, subject: str) -> Amounts:
        """Spent in the window or held and in use, as the store knows."""
        state, now = self._subjects[subject], self._clock_ms() / 1_000
        self._expire(state, now, int(now))
        ring, held, idle = state.ring(int(now), ages=state.period is None), state.held(), state.idle()
        return Amounts(*(ring[at] + held[at] - idle[at] for at in range(3)))

    def held(self, subject: str) -> Amounts:
        """Held by all workers, in use or not."""
        self.usage(subject)
        return Amounts(*self._subjects[subject].held())

    async def exchange(self, statement: Statement, run: str = "", *, patient: bool = False) -> Grant:
        now = self._now()
        self.statements.append(statement)
        state = self._subjects[statement.meter.subject]
        bucket = int(now) if statement.meter.period is None else self._period(state, statement)
        if bucket is None:
            return Grant(Outcome.UNSEEDED, Amounts(), Amounts(), None, 0.0, called_back=False, now=now)
        if not patient:
            self._expire(state, now, bucket)
        holder = state.holders.get(statement.holder) or self._revived(state, statement.holder)
        if any(statement.needed) and state.run != self.run:
            if run != self.run and (state.run or run):
                state.quiet = now + QUIET
            state.run = self.run
        if holder is not None and holder.number >= statement.number and holder.reply is not None:
            holder.until = now + self._lease
            return replace(holder.reply, now=now)
        known = 0 if holder is None else holder.number
        if known < statement.number - 1 and (statement.restored is None or statement.rejoins):
            state.quiet = now + QUIET
            return Grant(Outcome.LOST, Amounts(), Amounts(), None, 0.0, called_back=False, now=now, known=known)
        if holder is None:
            holder = state.holders[statement.holder] = Holder()
        if statement.restored is not None:
            holder.held = list(statement.restored)
            state.quiet = now + QUIET
        self._charge(state, holder, statement, bucket)
        holder.idle = list(statement.idle)
        reply = self._granted(state, holder, statement, now, bucket)
        holder.number, holder.at, holder.until, holder.reply = statement.number, now, now + self._lease, reply
        if statement.leaves:
            del state.holders[statement.holder]
        return reply

    @staticmethod
    def _period(state: Subject, statement: Statement) -> int | None:
        state.period = statement.meter.period
        bucket = max(state.period or 0, state.seeded)
        if bucket > state.seeded:
            if statement.seed is None:
                return None
            state.spent.clear()
            state.seeded = bucket
            state.spent[bucket][1] = statement.seed
        return bucket

    @staticmethod
    def _charge(state: Subject, holder: Holder, statement: Statement, bucket: int) -> None:
        for second, requests, tokens in statement.spent:
            at = min(second, bucket)
            if state.period is None or at == bucket:
                state.spent[at][0] += requests
                state.spent[at][1] += tokens
        for at in range(3):
            holder.held[at] -= min(statement.released[at], holder.held[at])

    async def register(self, worker: str, seconds: float, predecessor: str = "") -> Census:
        now = self._now()
        if self._heard and now - max(self._heard.values()) > LONG:
            self._absence, self._back, self._hold = now, False, (0.0, 0)
            self._former = len(self._heard)
            away = now - max(self._heard.values())
            self._heard = {name: heard + away - 0.001 for name, heard in self._heard.items()}
        if self._absence is not None and now - self._absence >= COUNTED + 1:
            self._heard = {name: heard for name, heard in self._heard.items() if heard >= self._absence}
            self._absence = None
        self._heard = {name: heard for name, heard in self._heard.items() if heard > now - KEPT - seconds}
        if self._absence is None and self._heard.get(predecessor, -inf) >= now - SILENT:
            del self._heard[predecessor]
        since = now - SILENT if self._absence is None else self._absence
        silent = sum(heard < since for heard in self._heard.values())
        self._heard[worker] = now
        missing = sum(heard < since for heard in self._heard.values())
        if missing < silent:
            self._back = True
            if self._absence is None or now > self._absence + HOLD:
                self._hold = (now + HOLD, silent)
        if now < self._hold[0]:
            missing = max(missing, self._hold[1])
        if self._absence is not None and not self._back:
            missing = 0
        of = 1 if not missing else len(self._heard) if self._absence is None else self._former
        rank = sorted(self._heard).index(worker)
        returning = self._absence is not None and now - self._absence < HOLD
        return Census(len(self._heard), rank, self.run, now, missing, of, returning, now - self.started)

    async def leave(self, worker: str) -> None:
        self._now()
        self._heard.pop(worker, None)

    async def hit(self, counter: str, limit: int) -> float | None:
        now = int(self._now())
        log = self._hits[counter]
        counted = sorted(at for at in log if at > now - COUNTED)
        if len(counted) < limit:
            log.append(now)
            return None
        return float(counted[len(counted) - limit] + COUNTED) - self._now() if limit else 60.0

    async def ping(self) -> None:
        self._now()

    def _now(self) -> float:
        if self.down:
            raise StoreError("down")
        return self._clock_ms() / 1_000

    def _expire(self, state: Subject, now: float, bucket: int) -> None:
        for name, holder in list(state.holders.items()):
            if holder.until <= now:
                del state.holders[name]
                state.gone[name] = replace(holder, charged=bucket)
                state.spent[bucket][0] += holder.held[0]
                state.spent[bucket][1] += holder.held[1]

    @staticmethod
    def _revived(state: Subject, name: str) -> Holder | None:
        holder = state.gone.pop(name, None)
        if holder is not None and holder.charged is not None:
            for at in range(2):
                entry = state.spent[holder.charged]
                entry[at] -= min(entry[at], holder.held[at])
            state.holders[name] = holder
        return holder

    def _granted(self, state: Subject, holder: Holder, statement: Statement, now: float, bucket: int) -> Grant:
        meter = statement.meter
        limits = (meter.limits.requests, meter.limits.tokens, meter.limits.concurrency)
        ring = state.ring(bucket, ages=meter.ages)
        granted, short_of, wait, outcome = [0, 0, 0], None, 0.0, Outcome.TOLD
        if any(statement.needed) and state.quiet > now:
            return self._reply(state, ring, granted, Outcome.WAIT, None, state.quiet - now, now)
        for at, name in ORDER:
            limit, needed, idle = limits[at], statement.needed[at], holder.idle[at]
            if limit is None:
                continue
            free = limit - ring[at] - state.held()[at]
            grant = max(0, min(needed, free))
            if needed and grant < statement.least[at]:
                grant = 0
                if short_of is None:
                    short_of = name
                    outcome, wait = self._refusal(state, statement, ring, at, limit, now)
            elif now - state.called >= RECENT:
                spare = (free - grant) // (2 * statement.holders) - idle
                grant += max(0, min(statement.wanted[at] - grant, spare))
            granted[at] = grant
            holder.held[at] += grant
            holder.idle[at] += max(0, grant - needed)
        return self._reply(state, ring, granted, outcome, short_of, wait, now, ages=meter.ages)

    def _refusal(  # noqa: PLR0913, PLR0917 - what a refusal depends on
        self, state: Subject, statement: Statement, ring: list[int], at: int, limit: int, now: float
    ) -> tuple[Outcome, float]:
        least = statement.least[at]
        if ring[at] + least > limit:
            outcome = Outcome.SPENT if at < 2 else Outcome.TOLD
            return outcome, _wait(state, statement.meter, at, least, limit, now)
        if now - state.called >= RECENT:
            state.called = now
            self.calls_back.append(statement.meter.subject)
            self.on_call_back(statement.meter.subject)
        silent = any(
            name != statement.holder and (other.at <= state.called or any(other.idle)) and any(other.held)
            for name, other in state.holders.items()
        )
        return Outcome.WAIT if silent else Outcome.TOLD, 1.0

    @staticmethod
    def _reply(  # noqa: PLR0913, PLR0917 - one value each of the answer
        state: Subject,
        ring: list[int],
        granted: list[int],
        outcome: Outcome,
        short_of: str | None,
        wait: float,
        now: float,
        *,
        ages: bool = True,
    ) -> Grant:
        held, idle = state.held(), state.idle()
        used = Amounts(*(ring[at] + held[at] - idle[at] for at in range(3)))
        recent = now - state.called < RECENT
        known = wait if ages or short_of == "concurrency" else None
        return Grant(outcome, Amounts(*granted), used, short_of, known, called_back=recent, now=now)


def _wait(  # noqa: PLR0913, PLR0917 - what a wait depends on
    state: Subject, meter: Meter, at: int, least: int, limit: int, now: float
) -> float:
    if at == 2:
        return 1.0
    if least > limit or not meter.ages:
        return 60.0
    excess = state.ring(int(now), ages=True)[at] + least - limit
    for second in sorted(state.spent):
        if int(now) - COUNTED < second <= int(now):
            excess -= state.spent[second][at]
            if excess <= 0:
                return second + COUNTED - now
    raise AssertionError("nothing to wait for")

"""P: one worker's part of a meter: what it may spend without asking, what it has spent, what it must tell the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.leasing.refusal import POSITIONS, Refusal
from gateway.leasing.statement_log import StatementLog
from gateway.ports import NOTHING, Amounts, Spend, Statement

if TYPE_CHECKING:
    from gateway.ports import Grant
    from gateway.vocabulary import Meter

WINDOW_SECONDS = 61
"""A window of 60 s in buckets of one second, the partial oldest one counted whole."""


@dataclass(slots=True)
class Taken:
    """What one request took of a lease. `leased` says that the store counts it as held; else it is of a local share."""

    lease: Lease
    second: int
    requests: int
    tokens: int
    slots: int
    leased: bool = True


class Lease:
    """Held of a meter: idle amounts, which the next request may take without a round trip, and amounts in use.

    What is spent is charged in the second in which it was taken, by the store's clock or a little later, so that no
    true window ever holds more than the limit. Limits that do not exist are not counted. `longest`: seconds that a slot
    may be in use.
    """

    def __init__(self, meter: Meter, holder: str, now: float) -> None:
        self.meter = meter
        self.holder = holder
        self.idle = [0, 0, 0]
        self.busy = [0, 0, 0]
        self.unleased = [0, 0, 0]
        self.history: dict[int, list[int]] = {}
        self.said: Statement | None = None
        self.known: int | None = None
        self.rejoins = False
        self.called_back = False
        self.told = False
        self.offset = 0.0
        self.longest = 0.0
        self.refusal: Refusal | None = None
        self.used_at = self.checked = now
        self._number = 0
        self._released = [0, 0, 0]
        self._unsaid: dict[int, list[int]] = {}
        self._log = StatementLog()
        self._alone: dict[int, Taken] = {}
        self._base = [0, 0, 0]
        self._believed = [0, 0, 0]
        self._since = [0, 0, 0]

    @property
    def limits(self) -> tuple[int | None, int | None, int | None]:
        """In the order in which amounts are."""
        limits = self.meter.limits
        return limits.requests, limits.tokens, limits.concurrency

    @property
    def used(self) -> Amounts:
        """Spent in the window or in use, by all workers, as far as this one knows."""
        base, since = self._base, self._since
        requests, tokens, slots = base[0] + since[0], base[1] + since[1], base[2] + since[2]
        return Amounts(max(0, requests), max(0, tokens), max(0, slots))

    @property
    def owes(self) -> bool:
        """Whether there is something to tell the store."""
        return bool(self._unsaid or any(self._released) or self.said or self.rejoins or self.idle != self._believed)

    @property
    def holds(self) -> bool:
        """Whether something idle could be given back."""
        return any(self.idle)

    @property
    def forgettable(self) -> bool:
        """Whether nothing would be lost with this object."""
        return not (any(self.idle) or any(self.busy) or any(self.unleased) or self.owes)

    def surplus(self, holders: int) -> bool:
        """Whether more is idle than may be kept."""
        return any(idle > self._kept(limit, holders) for idle, limit in zip(self.idle, self.limits, strict=True))

    def lacks(self, requests: int, tokens: int, slots: int) -> bool:
        """Whether less than that is idle."""
        limits, idle = self.meter.limits, self.idle
        return (
            (requests > idle[0] and limits.requests is not None)
            or (tokens > idle[1] and limits.tokens is not None)
            or (slots > idle[2] and limits.concurrency is not None)
        )

    def short(self, amounts: tuple[int, int, int], of: str) -> bool:
        """Whether less is idle than wanted of what a grant was short of."""
        position = POSITIONS[of]
        return self.limits[position] is not None and amounts[position] > self.idle[position]

    def take(self, requests: int, tokens: int, slots: int, now: float, *, leased: bool = True) -> Taken:
        """Put amounts to use: out of what is idle, or (not `leased`) beside it."""
        limits = self.meter.limits
        requests = requests if limits.requests is not None else 0
        tokens = tokens if limits.tokens is not None else 0
        slots = slots if limits.concurrency is not None else 0
        since, busy = self._since, self.busy if leased else self.unleased
        busy[0] += requests
        busy[1] += tokens
        busy[2] += slots
        since[0] += requests
        since[1] += tokens
        since[2] += slots
        if leased:
            idle = self.idle
            idle[0] -= requests
            idle[1] -= tokens
            idle[2] -= slots
        self.used_at = now
        taken = Taken(self, int(now + self.offset), requests, tokens, slots, leased)
        if not leased:
            self._alone[id(taken)] = taken
        return taken

    def nothing(self, now: float) -> Taken:
        """What a request took that took nothing."""
        return Taken(self, int(now + self.offset), 0, 0, 0)

    def settle(self, taken: Taken, requests: int, tokens: int) -> None:
        """End what was taken: `requests` and `tokens` of it were spent, or more; the rest is idle again."""
        if not taken.leased:
            del self._alone[id(taken)]
        limits = self.meter.limits
        requests = requests if limits.requests is not None else 0
        tokens = tokens if limits.tokens is not None else 0
        for position, amount, used in ((0, taken.requests, requests), (1, taken.tokens, tokens), (2, taken.slots, 0)):
            if amount or used:
                self._end(position, amount, used, leased=taken.leased)
        if requests or tokens:
            second = taken.second if self.meter.period is None else self.meter.period
            for log in (self._unsaid, self.history):
                entry = log.setdefault(second, [0, 0])
                entry[0] += requests
                entry[1] += tokens

    def _end(self, position: int, amount: int, used: int, *, leased: bool) -> None:
        """Of what was taken of one kind so much was used."""
        idle, released = self.idle, self._released
        busy = self.busy if leased else self.unleased
        busy[position] -= amount
        self._since[position] += used - amount
        if leased:
            covered = min(amount, used)
            released[position] += covered
            idle[position] += amount - covered
        if used > amount and idle[position] > 0:  # what was not reserved is paid first out of what is idle here
            excess = min(used - amount, idle[position])
            idle[position] -= excess
            released[position] += excess

    def spend(self, tokens: int, now: float) -> None:
        """Take one request and `tokens` of what is idle, and settle them at the same moment; no slot is needed."""
        self.settle(self.take(1, tokens, 0, now), 1, tokens)

    def refused(self, amounts: tuple[int, int, int], now: float) -> Grant | None:
        """The grant that a full window would give again, without asking; its wait is what is left of it."""
        return None if self.refusal is None else self.refusal.again(amounts, now)

    def window(self, now: float) -> tuple[int, int]:
        """Requests and tokens that this worker alone has spent in the last window or has in use."""
        oldest = int(now + self.offset) - WINDOW_SECONDS
        if self.meter.ages:
            for second in [second for second in self.history if second < oldest]:
                del self.history[second]
        busy, unleased = self.busy, self.unleased
        return (
            sum(entry[0] for entry in self.history.values()) + busy[0] + unleased[0],
            sum(entry[1] for entry in self.history.values()) + busy[1] + unleased[1],
        )

    def state(
        self, now: float, holders: int, wants: tuple[tuple[int, int, int], ...] = (), *, leaves: bool = False
    ) -> Statement:
        """The next statement; one that was not answered is said again as it was.

        `wants` are the amounts that requests wait for. `leaves` gives everything back; nothing may be in use then.
        """
        if self.said is not None and self.known is None:
            return self.said
        self.checked = now
        self._trim(holders, everything=leaves or self.called_back)
        least, needed, wanted = self._needs(wants, holders)
        self._number += 1
        restored, rejoins, released = None, self.rejoins and self.known is None, self._released
        if rejoins or self.known is not None:
            self.window(now)
            restored = Amounts(*(idle + busy for idle, busy in zip(self.idle, self.busy, strict=True)))
            released = [0, 0, 0]
        spent = self._unsaid if self.known is None else self._told_again(self.known)
        self._log.add(self._number, now, self._unsaid)
        self.said = Statement(
            self.meter,
            self.holder,
            self._number,
            Amounts(*released),
            tuple(Spend(second, *entry) for second, entry in spent.items()),
            Amounts(*self.idle),
            least,
            needed,
            wanted,
            restored,
            holders,
            leaves,
            rejoins=rejoins,
        )
        self._unsaid, self._released, self._since = {}, [0, 0, 0], [0, 0, 0]
        self.known, self.rejoins = None, False
        return self.said

    def hear(self, grant: Grant, said: Statement, sent: float) -> None:
        """Take in the answer to what was `said`; `sent` is when it went out."""
        self.said, self.told = None, True
        self.refusal = Refusal.of(grant, said, sent)
        self.called_back = grant.called_back
        self.offset = grant.now - sent
        granted = NOTHING if self.rejoins else grant.granted
        for position, amount in enumerate(granted):
            self.idle[position] += amount
            self._base[position] = grant.used[position] - min(amount, said.needed[position])
            self._believed[position] = said.idle[position] + max(0, amount - said.needed[position])

    def rejoin(self) -> None:
        """The store is back after an absence in which shares were spent.

        What is in use of the share is held from now on, and the next statement says so. What is idle is given up, since
        the shares are the whole limit; so is what is granted before that statement, since others have not made theirs.
        """
        for taken in self._alone.values():
            taken.leased = True
            for position, amount in enumerate((taken.requests, taken.tokens, taken.slots)):
                self.busy[position] += amount
                self.unleased[position] -= amount
        self._alone.clear()
        self.idle = [0, 0, 0]
        self.rejoins = True

    def _told_again(self, known: int) -> dict[int, list[int]]:
        """What a store that lost something is told was spent; `known` is the last statement that it has, 0 for none.

        One that has a statement has all before it: it is told what came after. One that has none is told all of a
        window; of a budget's period all only if it had to be seeded, so had nothing of it, else what was not confirmed.
        """
        seeded = self.said is not None and self.said.seed is not None
        if seeded or (self.meter.ages and not known):
            return self.history
        least = known if known or self.said is None else self.said.number - 1
        spent = {second: list(entry) for second, entry in self._unsaid.items()}
        for second, requests, tokens in self._log.after(least):
            entry = spent.setdefault(second, [0, 0])
            entry[0] += requests
            entry[1] += tokens
        return spent

    def _trim(self, holders: int, *, everything: bool) -> None:
        """Release idle amounts beyond what may be kept, so that a worker's part stays below its share."""
        for position, limit in enumerate(self.limits):
            kept = 0 if everything else self._kept(limit, holders)
            surplus = self.idle[position] - kept
            if surplus > 0:
                self.idle[position] = kept
                self._released[position] += surplus

    @staticmethod
    def _kept(limit: int | None, holders: int) -> int:
        """Half of this worker's share: what all hold idle together then never hides more than half of a limit."""
        return 0 if limit is None else limit // (2 * holders)

    def _needs(self, wants: tuple[tuple[int, int, int], ...], holders: int) -> tuple[Amounts, Amounts, Amounts]:
        """The least that helps anybody, what all need together, and what would be taken at most."""
        least, needed, wanted = [0, 0, 0], [0, 0, 0], [0, 0, 0]
        for position, limit in enumerate(self.limits):
            asked = [want[position] for want in wants if want[position]]
            if limit is None or not asked:
                continue
            needed[position] = max(0, sum(asked) - self.idle[position])
            least[position] = max(1, min(asked) - self.idle[position]) if needed[position] else 0
            wanted[position] = needed[position] + (self._kept(limit, holders) if needed[position] else 0)
        return Amounts(*least), Amounts(*needed), Amounts(*wanted)

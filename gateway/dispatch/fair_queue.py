"""P: start-time fair queueing: whose call goes to the upstream next, of several tenants in two lanes.

What holds, and is tested in tests/unit/dispatch/test_fair_queue.py:

1. Tenants of one lane that all wait are served tokens in proportion to their weights.
2. A tenant that had nothing waiting is served after at most the one call that is being served, however much the others
   have waiting.
3. A tenant's own calls are served in their order; one that is put back is its tenant's next.
4. Interactive goes before bulk, but of the tokens that are served while bulk waits, bulk has BULK_SHARE, where the
   caller of `pop` allows it.
5. Nothing is served at its deadline or later.

After Goyal, Vin and Cheng, "Start-time Fair Queueing" (SIGCOMM 1996): a call is stamped with the virtual time at which
its tenant's share would let it start, the smallest stamp is served, and virtual time is the stamp of the latest one
served. Every operation is O(log n), expiries and withdrawals amortised.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count

from gateway.dispatch.flows import SLACK, LaneQueue
from gateway.vocabulary import Lane

BULK_SHARE = 0.05


@dataclass(eq=False, slots=True)
class Ticket:
    """One call that wants a turn. `tokens` is its cost, `weight` its tenant's; `deadline` is in monotonic seconds.

    `patience` is for how many seconds it may wait for an upstream's allowance, whatever its deadline. `served` says
    that it had a turn; it may come back for another.
    """

    tenant: str
    tokens: int
    deadline: float
    weight: float = 1.0
    lane: Lane = Lane.INTERACTIVE
    patience: float = float("inf")
    served: bool = field(default=False, init=False)
    owed: float = field(default=0.0, init=False)
    queued: bool = field(default=False, init=False)
    recorded: bool = field(default=False, init=False)

    @property
    def cost(self) -> float:
        """How far its tenant's stamps move on when it is served."""
        return max(1, self.tokens) / self.weight

    def hold(self, now: float) -> None:
        """The wait for the upstream begins, or goes on: its patience counts from the first time."""
        self.deadline = min(self.deadline, now + self.patience)
        self.patience = float("inf")


class FairQueue:
    """Tickets that wait. Time is an argument."""

    def __init__(self) -> None:
        self._lanes = {lane: LaneQueue() for lane in Lane}
        self._owed = 0.0
        self._late: list[Ticket] = []
        self._records: list[tuple[float, int, Ticket]] = []
        self._order = count()

    def __len__(self) -> int:
        return sum(lane.length for lane in self._lanes.values())

    def length(self, lane: Lane) -> int:
        """How many wait in one lane."""
        return self._lanes[lane].length

    def add(self, ticket: Ticket) -> None:
        """Queue behind what the tenant has waiting in that lane."""
        self._record(ticket)
        self._lanes[ticket.lane].add(ticket)

    def put_back(self, ticket: Ticket) -> None:
        """Queue what was popped but not served: before what its tenant has waiting, and it has cost nothing."""
        self._record(ticket)
        self._lanes[ticket.lane].put_back(ticket)
        self._owed = max(0.0, self._owed - ticket.owed)

    def withdraw(self, ticket: Ticket) -> None:
        """Forget a ticket, if it waits."""
        if ticket.queued:
            self._lanes[ticket.lane].withdraw(ticket)

    def pop(self, now: float, *, spare: bool = True, due: bool = True) -> Ticket | None:
        """The next to be served before its deadline; None when nobody like that waits.

        `spare` lets bulk go when nobody interactive waits, `due` lets it go first with the share that it is owed.
        """
        self._drop(now)
        lane = self._next(spare=spare, due=due)
        if lane is None:
            return None
        ticket = lane.serve()
        self._account(ticket)
        return ticket

    def expire(self, now: float) -> list[Ticket]:
        """Drop every ticket whose deadline is not after `now`; those that were dropped since the last time."""
        self._drop(now)
        late, self._late = self._late, []
        return late

    def next_deadline(self) -> float:
        """The earliest deadline of a ticket that waits; infinite when none does."""
        while self._records and not self._records[0][2].queued:
            heappop(self._records)[2].recorded = False
        return self._records[0][0] if self._records else float("inf")

    def _drop(self, now: float) -> None:
        while self._records and self._records[0][0] <= now:
            _, _, ticket = heappop(self._records)
            ticket.recorded = False
            if ticket.queued:
                self._lanes[ticket.lane].withdraw(ticket)
                self._late.append(ticket)

    def _next(self, *, spare: bool, due: bool) -> LaneQueue | None:
        interactive, bulk = self._lanes[Lane.INTERACTIVE], self._lanes[Lane.BULK]
        if due and bulk.length and self._owed >= max(1, bulk.head().tokens):
            return bulk
        if interactive.length:
            return interactive
        return bulk if spare and bulk.length else None

    def _account(self, ticket: Ticket) -> None:
        """What bulk is owed grows while it waits for others, and ends when it waits no more."""
        before = self._owed
        if ticket.lane is Lane.BULK:
            self._owed = max(0.0, before - ticket.tokens)
        elif self._lanes[Lane.BULK].length:
            self._owed += max(1, ticket.tokens) * BULK_SHARE / (1 - BULK_SHARE)
        else:
            self._owed = 0.0
        ticket.owed = self._owed - before

    def _record(self, ticket: Ticket) -> None:
        if ticket.recorded:
            return
        ticket.recorded = True
        heappush(self._records, (ticket.deadline, next(self._order), ticket))
        if len(self._records) > 2 * len(self) + SLACK:
            for _, _, left in self._records:
                left.recorded = left.queued or left is ticket
            self._records = [record for record in self._records if record[2].recorded]
            heapify(self._records)

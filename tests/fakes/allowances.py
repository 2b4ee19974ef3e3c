"""P: what upstream keys allow (ports.Allowances) as an exact log on a virtual clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.ports import Allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.vocabulary import Limits

WINDOW_MS = 60_000
SLOT_SECONDS = 0.1


@dataclass
class Drawn:
    at: int
    lease: str
    requests: int
    tokens: int


@dataclass
class Account:
    log: list[Drawn] = field(default_factory=list)
    slots: dict[str, int] = field(default_factory=dict)
    paused_until: int = 0


class FakeAllowances:
    """`down` makes every call fail; `takes` counts the questions; `on_take` is called before each grant."""

    def __init__(self, clock_ms: Callable[[], int], lease_seconds: float = 15.0) -> None:
        self.down = False
        self.takes = 0
        self.on_take: Callable[[], object] = lambda: None
        self._clock_ms = clock_ms
        self._lease_ms = round(lease_seconds * 1_000)
        self._accounts: dict[str, Account] = defaultdict(Account)

    async def take(self, name: str, lease: str, tokens: int, limits: Limits) -> Allowance:
        self.takes += 1
        now, account = self._now(), self._accounts[name]
        if account.paused_until > now:
            return Allowance((account.paused_until - now) / 1_000, paused=True)
        log = account.log = [drawn for drawn in account.log if drawn.at > now - WINDOW_MS]
        for amount, limit, amounts in (
            (1, limits.requests, [(drawn.at, drawn.requests) for drawn in log]),
            (tokens, limits.tokens, [(drawn.at, drawn.tokens) for drawn in log]),
        ):
            wait = _wait(amounts, amount, limit, now)
            if wait:
                return Allowance(wait / 1_000)
        running = [ends for ends in account.slots.values() if ends > now]
        if limits.concurrency is not None and len(running) >= limits.concurrency:
            return Allowance(SLOT_SECONDS)
        account.log.append(Drawn(now, lease, 1, tokens))
        account.slots[lease] = now + self._lease_ms
        self.on_take()
        return Allowance(stamp=now, tokens=tokens)

    async def settle(self, name: str, lease: str, allowance: Allowance, requests: int, tokens: int) -> None:
        now, account = self._now(), self._accounts[name]
        assert allowance.stamp is not None
        account.slots.pop(lease, None)
        account.log = [drawn for drawn in account.log if drawn.lease != lease]
        account.log.append(Drawn(now, "", requests, tokens))

    def drawn(self) -> tuple[int, int]:
        """Calls that count and slots that are held, of all keys."""
        accounts = self._accounts.values()
        return sum(d.requests for a in accounts for d in a.log), sum(len(a.slots) for a in accounts)

    async def renew(self, name: str, leases: Sequence[str]) -> None:
        now, slots = self._now(), self._accounts[name].slots
        slots |= {lease: now + self._lease_ms for lease in leases if slots.get(lease, 0) > now}

    async def pause(self, name: str, seconds: float) -> None:
        account = self._accounts[name]
        account.paused_until = max(account.paused_until, self._now() + round(seconds * 1_000))

    def _now(self) -> int:
        if self.down:
            raise StoreError("down")
        return self._clock_ms()


def _wait(amounts: list[tuple[int, int]], amount: int, limit: int | None, now: int) -> int:
    """Milliseconds until `amount` more fits."""
    excess = 0 if limit is None else sum(used for _, used in amounts) + amount - limit
    if excess <= 0:
        return 0
    for at, used in sorted(amounts):
        excess -= used
        if excess <= 0:
            return at + WINDOW_MS - now
    return WINDOW_MS

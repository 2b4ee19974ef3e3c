"""P: a quota store (ports.QuotaStore) as an exact log of events on a virtual clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.ports import Usage, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.ports import Admission

WINDOW_MS = 60_000


@dataclass
class Event:
    at: int
    lease: str
    amount: int


@dataclass
class Subject:
    requests: list[Event] = field(default_factory=list)
    tokens: list[Event] = field(default_factory=list)
    leases: dict[str, int] = field(default_factory=dict)
    steps: dict[str, dict[str, Verdict]] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)


class FakeQuota:
    """`down` makes every call fail; `settlements` lists what was settled: lease, requests, tokens."""

    def __init__(self, clock_ms: Callable[[], int], lease_seconds: float = 15.0) -> None:
        self.down = False
        self.settlements: list[tuple[str, int, int]] = []
        self._clock_ms = clock_ms
        self._lease_ms = round(lease_seconds * 1_000)
        self._subjects: dict[str, Subject] = defaultdict(Subject)
        self._hits: dict[str, list[Event]] = defaultdict(list)

    async def admit(self, admission: Admission) -> Verdict:
        now, subject = self._now(), self._subjects[admission.subject]
        if not (admission.requests or admission.tokens or admission.slot):
            return Verdict(self._usage(subject, now))
        steps = subject.steps.get(admission.lease, {})
        if admission.step in steps:
            return steps[admission.step]
        refused = self._refusal(subject, admission, now)
        if refused is not None:
            return refused
        if admission.requests:
            subject.requests.append(Event(now, admission.lease, admission.requests))
        if admission.tokens:
            subject.tokens.append(Event(now, admission.lease, admission.tokens))
        if admission.slot:
            subject.leases[admission.lease] = now + self._lease_ms
        verdict = Verdict(self._usage(subject, now))
        subject.steps.setdefault(admission.lease, {})[admission.step] = verdict
        return verdict

    async def settle(self, subject: str, lease: str, requests: int, tokens: int) -> Usage:
        now, state = self._now(), self._subjects[subject]
        self.settlements.append((lease, requests, tokens))
        state.leases.pop(lease, None)
        if lease not in state.settled:
            state.settled.add(lease)
            state.steps.pop(lease, None)
            _correct(state.requests, lease, requests, now)
            _correct(state.tokens, lease, tokens, now)
        return self._usage(state, now)

    async def renew(self, subject: str, leases: Sequence[str]) -> None:
        now, state = self._now(), self._subjects[subject]
        for lease in leases:
            if state.leases.get(lease, 0) > now:
                state.leases[lease] = now + self._lease_ms

    async def hit(self, counter: str, limit: int) -> float | None:
        now, log = self._now(), self._hits[counter]
        if _used(log, now) < limit:
            log.append(Event(now, counter, 1))
            return None
        return _wait(log, 1, limit, now)

    async def ping(self) -> None:
        self._now()

    def usage(self, subject: str) -> Usage:
        """What a test may look at without asking."""
        return self._usage(self._subjects[subject], self._clock_ms())

    def _now(self) -> int:
        if self.down:
            raise StoreError("down")
        return self._clock_ms()

    def _refusal(self, subject: Subject, admission: Admission, now: int) -> Verdict | None:
        usage, limits = self._usage(subject, now), admission.limits
        if admission.lease in subject.settled:
            return Verdict(usage, "settled")
        if admission.requests and limits.requests is not None and usage.requests + admission.requests > limits.requests:
            return Verdict(usage, "requests", _wait(subject.requests, admission.requests, limits.requests, now))
        if admission.slot and limits.concurrency is not None and usage.slots >= limits.concurrency:
            return Verdict(usage, "concurrency", 1.0)
        if admission.tokens and limits.tokens is not None and usage.tokens + admission.tokens > limits.tokens:
            return Verdict(usage, "tokens", _wait(subject.tokens, admission.tokens, limits.tokens, now))
        return None

    def _usage(self, subject: Subject, now: int) -> Usage:
        slots = sum(expiry > now for expiry in subject.leases.values())
        return Usage(_used(subject.requests, now), _used(subject.tokens, now), slots)


def _counts(event: Event, now: int) -> bool:
    return event.at > now - WINDOW_MS


def _used(log: list[Event], now: int) -> int:
    return sum(event.amount for event in log if _counts(event, now))


def _wait(log: list[Event], amount: int, limit: int, now: int) -> float:
    if amount > limit:
        return WINDOW_MS / 1_000
    excess = _used(log, now) + amount - limit
    for event in log:
        if _counts(event, now):
            excess -= event.amount
            if excess <= 0:
                return (event.at + WINDOW_MS - now) / 1_000
    raise AssertionError("nothing to wait for")


def _correct(log: list[Event], lease: str, used: int, now: int) -> None:
    own = [event for event in log if event.lease == lease]
    more = used - sum(event.amount for event in own)
    if more > 0:
        if own and _counts(own[-1], now):
            own[-1].amount += more
        else:
            log.append(Event(now, lease, more))
        return
    for event in reversed(own):
        back = min(event.amount, -more)
        more += back
        event.amount -= back

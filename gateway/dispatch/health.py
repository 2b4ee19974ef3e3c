"""P: whether a backend is well enough for a model: a circuit breaker, and an ejection of those that do not fit.

What holds, and is tested in tests/unit/dispatch/test_health.py:

1. A breaker opens after FAILURES_IN_A_ROW, or when FAILURE_RATE of at least SAMPLES calls in 10 seconds failed.
2. It is open for half a second, twice as long each time it opens again before it was well for WARM_SECONDS, never more
   than LONGEST_OPEN_SECONDS, and up to half less by chance, so that workers do not come back at once.
3. Then it is half-open and admits one call at a time, the probe. Its success closes it, its failure opens it. A probe
   that says nothing (cancelled) makes room for another at once, one that never reports after PROBE_SECONDS.
4. Calls that began before it changed change nothing.
5. Having closed it is warmed up: `factor` rises from FIRST_FACTOR to 1 in WARM_SECONDS.

A backend that refuses our key or model, or fails now and then, is not sick: nothing is won by keeping all calls from it
when it is the only one. It is ejected: left alone as long as others can answer (gateway.dispatch.routing).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.dispatch.recent import Recent

FAILURES_IN_A_ROW = 5
FAILURE_RATE = 0.5
SAMPLES = 20
FIRST_OPEN_SECONDS = 0.5
LONGEST_OPEN_SECONDS = 5.0
PROBE_SECONDS = 5.0
"""A probe may take longer; then it is not alone."""

WARM_SECONDS = 10.0
FIRST_FACTOR = 0.1

MISFITS_IN_A_ROW = 3
MISFIT_RATE = 0.1
EJECTED_SECONDS = 5.0

_SLOT_SECONDS, _SLOTS = 1.0, 9
_NEVER = float("-inf")


class State(StrEnum):
    """Of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, eq=False, slots=True)
class Pass:
    """One call that was admitted; `era` counts the breaker's changes until then."""

    era: int


class _Failures:
    """Failures in a row and the rate of the last seconds."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self._all = Recent(_SLOT_SECONDS, _SLOTS)
        self._failed = Recent(_SLOT_SECONDS, _SLOTS)

    def count(self, now: float, *, ok: bool) -> None:
        self.in_a_row = 0 if ok else self.in_a_row + 1
        self._all.add(now)
        if not ok:
            self._failed.add(now)

    def rate(self, now: float) -> float:
        """0 while there are too few calls to tell."""
        failed = self._failed.total(now)
        total = self._all.total(now) if failed else 0
        return failed / total if total >= SAMPLES else 0.0

    def clear(self) -> None:
        self._all.clear()
        self._failed.clear()


class Breaker:
    """One for a backend and a model. `now` is in monotonic seconds."""

    def __init__(self) -> None:
        self._failures = _Failures()
        self._era = 0
        self._openings = 0
        self._opened_until: float | None = None
        self._closed_at = _NEVER
        self._probe: Pass | None = None
        self._probe_until = _NEVER
        self._usual = Pass(0)

    def state(self, now: float) -> State:
        """Closed: as many calls as there are. Open: none. Half-open: one at a time."""
        if self._opened_until is None:
            return State.CLOSED
        return State.OPEN if now < self._opened_until else State.HALF_OPEN

    def admits(self, now: float) -> bool:
        """Whether `begin` would give a pass."""
        return self.reopens(now) <= 0

    def reopens(self, now: float) -> float:
        """Seconds until a call may be admitted at the latest; sooner if a probe reports before (see `record`)."""
        if self._opened_until is None:
            return 0.0
        return max(0.0, self._opened_until - now, self._probe_until - now)

    def probes(self, now: float) -> float:
        """Seconds until a probe may begin; 0 while one runs."""
        return 0.0 if self._opened_until is None else max(0.0, self._opened_until - now)

    def begin(self, now: float) -> Pass | None:
        """A call begins; None when it may not. Each pass is to be recorded in the end, whatever became of the call."""
        if self._opened_until is None:
            return self._usual
        if not self.admits(now):
            return None
        admitted = self._probe = Pass(self._era)
        self._probe_until = now + PROBE_SECONDS
        return admitted

    def record(self, now: float, admitted: Pass, ok: bool | None, chance: float) -> bool:  # noqa: FBT001 - an outcome
        """A call ended: True if it was a probe, so that those who wait should ask again when they may go.

        `ok`: the backend is not to blame; None: nothing was learnt, as when the call was cancelled. `chance` is in
        [0, 1).
        """
        if admitted.era != self._era:
            return False
        if ok is None:
            return self._give_back(admitted)
        if self._opened_until is not None:
            self._close(now) if ok else self._open(now, chance)
            return True
        self._failures.count(now, ok=ok)
        if self._failures.in_a_row >= FAILURES_IN_A_ROW or (not ok and self._failures.rate(now) >= FAILURE_RATE):
            self._open(now, chance)
        return False

    def factor(self, now: float) -> float:
        """The part of its weight that a backend is worth now, in (0, 1]."""
        if self._opened_until is not None:
            return FIRST_FACTOR
        return min(1.0, max(FIRST_FACTOR, (now - self._closed_at) / WARM_SECONDS))

    def _give_back(self, admitted: Pass) -> bool:
        if admitted is not self._probe:
            return False
        self._probe, self._probe_until = None, _NEVER
        return True

    def _open(self, now: float, chance: float) -> None:
        if self._opened_until is None and now - self._closed_at >= WARM_SECONDS:
            self._openings = 0
        seconds = min(LONGEST_OPEN_SECONDS, FIRST_OPEN_SECONDS * 2.0 ** min(self._openings, 16))
        self._openings += 1
        self._change(now + seconds * (1 - chance / 2))

    def _close(self, now: float) -> None:
        self._closed_at = now
        self._change(None)

    def _change(self, opened_until: float | None) -> None:
        self._era += 1
        self._usual = Pass(self._era)
        self._opened_until = opened_until
        self._probe, self._probe_until = None, _NEVER
        self._failures = _Failures()


class Ejection:
    """One for a backend and a model: out for EJECTED_SECONDS after misfits in a row or too many failures of any kind.

    What is ejected still serves when nobody else can, so this never empties a pool. Let in again it is out at the
    next misfit.
    """

    def __init__(self) -> None:
        self._misfits = 0
        self._failures = _Failures()
        self._until = _NEVER

    def out(self, now: float) -> bool:
        """Whether it should be left alone."""
        return now < self._until

    def eject(self, now: float) -> None:
        """Out from now on, for what is known otherwise, as by a health check."""
        self._until = now + EJECTED_SECONDS

    def record(self, now: float, *, ok: bool, misfit: bool = False) -> bool:
        """A call ended: `ok` as for a breaker, `misfit`: our setup is to blame. True when this ejects it."""
        self._misfits = self._misfits + 1 if misfit else 0
        self._failures.count(now, ok=ok and not misfit)
        if self.out(now) or (self._misfits < MISFITS_IN_A_ROW and self._failures.rate(now) < MISFIT_RATE):
            return False
        self.eject(now)
        self._failures.clear()
        return True

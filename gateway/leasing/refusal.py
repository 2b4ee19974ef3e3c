"""P: a full window is remembered for a moment, so that a flood of requests that it refuses asks nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from gateway.ports import Outcome

if TYPE_CHECKING:
    from gateway.ports import Grant, Statement

POSITIONS = {"requests": 0, "tokens": 1, "concurrency": 2}
LONGEST_REFUSAL = 1.0
"""Seconds that a refusal is remembered at most: a limit may be raised, or a worker come back that was thought dead."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a full window does not allow before `until` (monotonic seconds): `least` or more at `position`."""

    until: float
    position: int
    least: int
    grant: Grant
    at: float

    @classmethod
    def of(cls, grant: Grant, said: Statement, sent: float) -> Self | None:
        """What is to be remembered of a grant, the answer to what was `said` at `sent`."""
        if grant.outcome is not Outcome.SPENT or grant.short_of is None:
            return None
        position = POSITIONS[grant.short_of]
        wait = LONGEST_REFUSAL if grant.retry_after is None else min(grant.retry_after, LONGEST_REFUSAL)
        return cls(sent + wait, position, said.least[position] + said.idle[position], grant, sent)

    def again(self, amounts: tuple[int, int, int], now: float) -> Grant | None:
        """The grant that would be given again; its wait is what is left of it."""
        if now >= self.until or amounts[self.position] < self.least:
            return None
        wait = self.grant.retry_after
        return replace(self.grant, retry_after=None if wait is None else max(0.0, wait - (now - self.at)))

"""P: what one call that passes through costs, as far as it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.vocabulary import Cause, Charge, Saving, nanos

if TYPE_CHECKING:
    from gateway.admit.estimate import Estimate
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.passing import Errand
    from gateway.vocabulary import Answer, Call, Caller, Facts

BYTES_A_TOKEN = 4
_NANO = 1e-9


@dataclass(slots=True)
class Journey:
    """One errand on its way. `asked`: a backend has it; `begun`: the client has the beginning of a stream.

    `tokens` are reserved, `estimate` is the prompt's part of them.
    """

    snapshot: Snapshot
    caller: Caller
    call: Call
    facts: Facts
    errand: Errand
    estimate: Estimate | None = None
    tokens: int = 0
    asked: bool = False
    begun: bool = False

    @property
    def price(self) -> str:
        """US dollars a token."""
        return self.snapshot.price(self.caller.tenant, self.errand.served.model)

    @property
    def prompt(self) -> int:
        """What the prompt costs where nobody has counted it: our own count of its text, else by its length."""
        if self.estimate is None:
            return 0
        need, most = self.estimate.needs[0], self.estimate.tokens[0]
        if need.media:
            return most
        return min(most, -(-need.length // BYTES_A_TOKEN) if need.counted is None else need.counted)

    def spent(self) -> int:
        """What the call costs as far as it has come: the backend's count, else our estimate."""
        gauge = self.errand.gauge
        return gauge.estimate + self.prompt if gauge.counted is None else gauge.counted

    def settled(self) -> tuple[Charge, int, int, int]:
        """What it costs from now on, however it ends: for the client, the windows, budgets in tokens and in money."""
        facts, tokens = self.facts, self.spent()
        facts.reported_tokens = facts.upstream_tokens = facts.paid_tokens = tokens
        facts.nanos = nanos(self.price, tokens)
        return Charge(tokens, tokens), tokens, tokens, facts.nanos

    def found(self, stored: Answer) -> tuple[Charge, int]:
        """Nothing is paid for what was stored; it is reported as what it cost first."""
        facts = self.facts
        facts.hits, facts.saved_tokens, facts.saved_nanos = 1, stored.tokens, nanos(self.price, stored.tokens)
        facts.savings = (Saving(Cause.STORED, 1, stored.tokens, facts.saved_nanos * _NANO, 0.0),)
        counts = self.snapshot.config.limits.count_cached_tokens
        return Charge(stored.tokens, 0), stored.tokens if counts else 0

"""P: an observer (ports.Observer) that remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.errors import GatewayError
    from gateway.vocabulary import Facts, Lane, Stage


@dataclass
class FakeObserver:
    requests: list[tuple[Facts, GatewayError | None]] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    upstream_calls: list[tuple[str, str, str, int]] = field(default_factory=list)
    queued: list[tuple[str, Lane, float]] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    health: list[tuple[str, str, str]] = field(default_factory=list)
    drifts: list[tuple[str, str, str, bool]] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    hedged: list[str] = field(default_factory=list)
    store_failures: list[str] = field(default_factory=list)
    shadows: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    unjournaled_rows: int = 0
    thresholds: list[tuple[str, str, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    job_notices: list[str] = field(default_factory=list)

    def request(self, facts: Facts, seconds: float, error: GatewayError | None) -> None:
        assert seconds >= 0
        self.requests.append((facts, error))

    def stage(self, stage: Stage, seconds: float) -> None:
        assert seconds >= 0
        self.stages.append(stage)

    def upstream_health(self, backend: str, model: str, state: str) -> None:
        self.health.append((backend, model, state))

    def upstream_drifted(self, backend: str, revision: str, reason: str, *, guessed: bool) -> None:
        self.drifts.append((backend, revision, reason, guessed))

    def upstream_misfit(self, backend: str) -> None:
        self.misfits.append(backend)

    def upstream_hedged(self, backend: str) -> None:
        self.hedged.append(backend)

    def upstream_call(self, backend: str, endpoint: str, outcome: str, seconds: float, tokens: int) -> None:
        assert seconds >= 0
        self.upstream_calls.append((backend, endpoint, outcome, tokens))

    def shadowed(self, scope: str) -> None:
        self.shadows.append(scope)

    def degraded(self, decision: str) -> None:
        self.decisions.append(decision)

    def upstream_queued(self, backend: str, lane: Lane, seconds: float, length: int) -> None:
        assert length >= 0
        self.queued.append((backend, lane, seconds))

    def upstream_paused(self, backend: str) -> None:
        self.paused.append(backend)

    def store_failure(self, role: str) -> None:
        self.store_failures.append(role)

    def threshold(self, tenant: str, meter: str, share: str) -> None:
        self.thresholds.append((tenant, meter, share))

    def notice(self, outcome: str) -> None:
        self.notices.append(outcome)

    def job_notice(self, outcome: str) -> None:
        self.job_notices.append(outcome)

    def unjournaled(self) -> None:
        self.unjournaled_rows += 1

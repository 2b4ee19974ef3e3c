"""P: every limit that a snapshot holds people to, one row for each bound, with what is used of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gateway.vocabulary import Scope, dollars

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.ports import Amounts
    from gateway.vocabulary import Caller, Meter

Kind = Literal["requests", "tokens", "concurrency", "usd"]

EVERYBODY = ""
"""In the place of a tenant, for what everybody's calls count in."""


@dataclass(frozen=True, slots=True)
class Place:
    """A meter, and whose it is: `name` is the key, endpoint, model or period where the scope has several."""

    tenant: str
    name: str
    meter: Meter


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit: requests or tokens a minute, requests at once, or what a budget allows (tokens, or nano-dollars).

    `shadow` limits are counted and refuse nothing. `used` may pass `limit`: what a backend counts beyond is charged.
    """

    tenant: str
    scope: Scope
    name: str
    kind: Kind
    limit: int
    used: int
    shadow: bool

    @property
    def left(self) -> int:
        """What may still be used now; never negative."""
        return max(0, self.limit - self.used)

    @property
    def share(self) -> float:
        """What part is used; all of a limit of nothing."""
        return self.used / self.limit if self.limit else 1.0

    def figures(self) -> dict[str, object]:
        """With names, as programs read it; dollars are exact decimal text."""
        amounts = {"limit": self.limit, "used": self.used, "left": self.left}
        shown = {name: dollars(amount) if self.kind == "usd" else amount for name, amount in amounts.items()}
        return {
            "tenant": self.tenant,
            "scope": self.scope.value,
            "name": self.name,
            "kind": self.kind,
            **shown,
            "share": round(self.share, 6),
            "shadow": self.shadow,
        }


def callers_of(snapshot: Snapshot) -> dict[str, list[Caller]]:
    """Everybody with a key, by tenant; in the order of the names."""
    callers: dict[str, list[Caller]] = {}
    for caller in snapshot.directory.values():
        callers.setdefault(caller.tenant, []).append(caller)
    return dict(sorted(callers.items()))


def own_places(tenant: str, callers: Sequence[Caller]) -> Iterator[Place]:
    """What a tenant's calls count in beside its budgets: its own meter once, then its keys', endpoints' and models'."""
    yield from (Place(tenant, "", meter) for meter in callers[0].meters if meter.scope is Scope.TENANT)
    for caller in callers:
        yield from (Place(tenant, caller.key_id, meter) for meter in caller.meters if meter.scope is Scope.KEY)
    seen: set[str] = set()
    for name, meter in (*callers[0].by_endpoint.items(), *callers[0].by_model.items()):
        if meter.subject not in seen:  # two endpoints may count in one meter
            seen.add(meter.subject)
            yield Place(tenant, name, meter)


def shared_places(snapshot: Snapshot) -> Iterator[Place]:
    """What everybody's calls count in."""
    yield from (Place(EVERYBODY, "", meter) for meter in snapshot.total_meters)
    yield from (Place(EVERYBODY, name, meter) for name, meter in snapshot.model_meters.items())


def bounds(place: Place, used: Amounts) -> Iterator[Bound]:
    """A row for each limit that a meter has."""
    limits, meter = place.meter.limits, place.meter
    rows: tuple[tuple[Kind, int | None, int], ...] = (
        ("requests", limits.requests, used.requests),
        ("usd" if meter.money else "tokens", limits.tokens, used.tokens),
        ("concurrency", limits.concurrency, used.slots),
    )
    for kind, limit, amount in rows:
        if limit is not None:
            yield Bound(place.tenant, meter.scope, place.name, kind, limit, max(0, amount), meter.shadow)

"""P: which meters a call counts in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Caller, Fallback


def meters_of(snapshot: Snapshot, caller: Caller, endpoint: str, model: str, client: str) -> tuple[Meter, ...]:
    """The caller's own first, its endpoint's and model's, everybody's, and the client address's, if there is one."""
    limits = snapshot.config.limits
    meters = caller.meters
    for more in (caller.by_endpoint.get(endpoint), caller.by_model.get(model), snapshot.model_meters.get(model)):
        if more is not None:
            meters += (more,)
    if client and limits.rpm_per_address is not None:
        meters += (_address(client, limits.rpm_per_address, limits.when_store_fails),)
    return meters + snapshot.total_meters


def _address(client: str, rpm: int, fallback: Fallback) -> Meter:
    """Requests a minute of one client address."""
    return Meter(f"ip:{client}", Scope.ADDRESS, Limits(rpm, None, None), fallback=fallback, expires=True)


def tenant_meter(meters: Sequence[Meter]) -> Meter | None:
    """The one that the contract's headers tell of."""
    for meter in meters:
        if meter.scope is Scope.TENANT:
            return meter
    return None

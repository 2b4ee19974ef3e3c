"""P: what each caller's calls are counted in: a tier's bounds as meters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from gateway.config.schema import Bounds, Config, Tier
    from gateway.vocabulary import Caller


CLASSIFY = "classify"
FEW_SHOT = "classify_few_shot"
"""What classifications by trained classifiers are called in limits, metrics and the ledger."""

ANYBODY = "*"
"""In the place of a tenant in the meters of callers who are known by their keys alone; no tenant is called that."""


def meters_for(caller: Caller, tenant: str) -> Caller:
    """A caller made for ANYBODY, with meters of its own, which expire: keys are without number."""

    def own(meter: Meter) -> Meter:
        return replace(meter, subject=meter.subject.replace(ANYBODY, tenant), expires=True)

    return replace(
        caller,
        meters=tuple(own(meter) for meter in caller.meters),
        by_endpoint={name: own(meter) for name, meter in caller.by_endpoint.items()},
        by_model={name: own(meter) for name, meter in caller.by_model.items()},
    )


def limits_of(bounds: Bounds) -> Limits:
    """Bounds as the stages know them."""
    return Limits(bounds.rpm, bounds.tpm, bounds.concurrency)


def own_meters(config: Config, tenant: str, tier: Tier, key_id: str) -> tuple[Meter, ...]:
    """What every call of a key counts in: its tenant's meter first, then its own."""
    meters = [_meter(config, f"t:{tenant}", Scope.TENANT, tier)]
    if tier.each_key is not None:
        meters.append(_meter(config, f"k:{key_id}", Scope.KEY, tier.each_key))
    return tuple(meters)


def endpoint_meters(config: Config, tenant: str, tier: Tier) -> dict[str, Meter]:
    """What a tenant's calls of an endpoint count in, beside the rest.

    Few-shot classifications count as all others do, unless the tier tells them apart.
    """
    meters = {
        name: _meter(config, f"t:{tenant}:e:{name}", Scope.ENDPOINT, bounds) for name, bounds in tier.endpoints.items()
    }
    if CLASSIFY in meters:
        meters.setdefault(FEW_SHOT, meters[CLASSIFY])
    return meters


def model_meters(config: Config, tenant: str, tier: Tier) -> dict[str, Meter]:
    """What a tenant's calls of a model count in, beside the rest."""
    return {name: _meter(config, f"t:{tenant}:m:{name}", Scope.MODEL, bounds) for name, bounds in tier.models.items()}


def total_meters(config: Config) -> tuple[Meter, ...]:
    """What everybody's calls count in."""
    total = config.limits.total
    return () if total is None else (_meter(config, "total", Scope.TOTAL, total),)


def total_model_meters(config: Config) -> dict[str, Meter]:
    """What everybody's calls of a model count in."""
    return {name: _meter(config, f"m:{name}", Scope.MODEL, bounds) for name, bounds in config.limits.models.items()}


def _meter(config: Config, subject: str, scope: Scope, bounds: Bounds) -> Meter:
    fallback = bounds.when_store_fails or config.limits.when_store_fails
    return Meter(subject, scope, limits_of(bounds), bounds.shadow, fallback)

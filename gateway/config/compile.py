"""P: a Config and what the process knows (secret, issued keys, the model's address) → Snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.config.defaults import ANONYMOUS, EMBEDDED, merged_tiers, wants_embedded_model, with_defaults
from gateway.config.metering import (
    ANYBODY,
    endpoint_meters,
    limits_of,
    model_meters,
    own_meters,
    total_meters,
    total_model_meters,
)
from gateway.config.problem import ConfigError, Origin
from gateway.config.references import check_references
from gateway.config.schema import Tenant
from gateway.config.serving import served_models
from gateway.config.snapshot import Snapshot
from gateway.vocabulary import CacheScope, Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.config.accounts import Accounts
    from gateway.config.schema import Config
    from gateway.config.snapshot import Served

__all__ = ["ISSUED_TIER", "compile_snapshot", "wants_embedded_model", "with_accounts", "with_defaults"]

ISSUED_TIER = "tier2"
"""Plan of a tenant that the gateway made itself (the `dev` tenant)."""

_KEY_ID_DIGITS = 12


def compile_snapshot(
    config: Config,
    *,
    secret: bytes,
    digest: Callable[[str, bytes], bytes],
    issued: Mapping[bytes, tuple[str, str]] | None = None,
    embedded_url: str | None = None,
) -> Snapshot:
    """The look-ups for a configuration.

    `digest` is `authenticate.digest`, handed in because this layer lies below it. `issued` maps the digest of each
    key that the gateway issued to tenant and key id; a key written in the configuration wins over an issued one.
    `embedded_url` takes the place of the url `embedded`.

    Raises:
        ConfigError: the configuration refers to what does not exist (it did not come from `parse`).
    """
    complete = with_defaults(config)
    problems = check_references(complete, Origin())
    if problems:
        raise ConfigError(problems)
    directory = {**_issued_callers(complete, issued or {}), **_configured_callers(complete, secret, digest)}
    served = served_models(complete)
    return Snapshot(
        _placed(complete, embedded_url),
        served,
        directory,
        secret,
        total_meters(complete),
        total_model_meters(complete),
        _prices(complete, served),
        _passthrough(complete),
        _anybody(complete, ANONYMOUS, CacheScope.OFF),
        merged_tiers(complete),
    )


def with_accounts(base: Snapshot, accounts: Accounts) -> Snapshot:
    """`base`, a compiled configuration, and the keys that were made at run time.

    The configuration wins: its tenants over those of the same name, its keys over equal ones. A tenant whose tier the
    configuration does not know is nobody, as one that is disabled; so are the keys of tenants that do not exist.
    """
    tiers = merged_tiers(base.config)
    made = {name: tenant.configured() for name, tenant in accounts.tenants.items() if tenant.enabled}
    tenants = {name: tenant for name, tenant in {**made, **base.config.tenants}.items() if tenant.tier in tiers}
    known = {
        bytes.fromhex(key.digest): replace(
            _caller(base.config, key.tenant, tenants[key.tenant], key_id), expires=key.expires
        )
        for key_id, key in accounts.keys.items()
        if key.revoked is None and key.tenant in tenants
    }
    return replace(base, directory={**known, **base.directory})


def _prices(config: Config, served: Mapping[str, Served]) -> dict[tuple[str, str], str]:
    """Tenants' own prices; a model may be written by any of its names."""
    return {
        (name, served[model].model.name): price
        for name, tenant in config.tenants.items()
        for model, price in tenant.prices.items()
    }


def _configured_callers(config: Config, secret: bytes, digest: Callable[[str, bytes], bytes]) -> dict[bytes, Caller]:
    callers = {}
    for name, tenant in config.tenants.items():
        for key in tenant.keys:
            address = digest(key, secret)
            callers[address] = _caller(config, name, tenant, address.hex()[:_KEY_ID_DIGITS])
    return callers


def _issued_callers(config: Config, issued: Mapping[bytes, tuple[str, str]]) -> dict[bytes, Caller]:
    made = Tenant(tier=ISSUED_TIER)
    return {
        address: _caller(config, name, config.tenants.get(name, made), key_id)
        for address, (name, key_id) in issued.items()
    }


def _passthrough(config: Config) -> Caller | None:
    """Nobody here checks such a key, so it never finds what another one paid for, whatever `cache.scope` says."""
    if config.server.authentication != "passthrough":
        return None
    scope = CacheScope.OFF if config.cache.scope is CacheScope.OFF else CacheScope.ORG
    return _anybody(config, config.server.passthrough_tier, scope)


def _anybody(config: Config, name: str, scope: CacheScope) -> Caller:
    """What those on a tier are whom the configuration does not name."""
    tier = merged_tiers(config)[name]
    return Caller(
        "",
        "",
        name,
        "",
        limits_of(tier),
        scope,
        own_meters(config, ANYBODY, tier, ANYBODY),
        endpoint_meters(config, ANYBODY, tier),
        model_meters(config, ANYBODY, tier),
        timeout=tier.timeout,
        labels=tier.labels,
        classifiers=tier.classifiers,
        classifier_labels=tier.classifier_labels,
    )


def _caller(config: Config, name: str, tenant: Tenant, key_id: str) -> Caller:
    tier = merged_tiers(config)[tenant.tier]
    return Caller(
        name,
        tenant.org,
        tenant.tier,
        key_id,
        limits_of(tier),
        tenant.cache_scope or config.cache.scope,
        own_meters(config, name, tier, key_id),
        endpoint_meters(config, name, tier),
        model_meters(config, name, tier),
        weight=tenant.weight,
        queue_timeout=tenant.queue_timeout,
        timeout=tenant.timeout or tier.timeout,
        labels=tier.labels,
        classifiers=tier.classifiers,
        classifier_labels=tier.classifier_labels,
    )


def _placed(config: Config, embedded_url: str | None) -> Config:
    if embedded_url is None:
        return config
    backends = {
        name: backend.model_copy(update={"url": embedded_url}) if backend.url == EMBEDDED else backend
        for name, backend in config.backends.items()
    }
    return config.model_copy(update={"backends": backends})

"""P: which changes of a configuration a running gateway takes up, and which need a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.defaults import wants_embedded_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.schema import Config

_LIVE = frozenset(
    {
        "server.body_limit",
        "server.timeout",
        "server.validation",
        "server.passthrough_tier",
        "server.ready_requires_store",
        "limits.total",
        "limits.models",
        "limits.rpm_per_address",
        "limits.trusted_proxies",
        "limits.when_store_fails",
        "limits.ip_failures_per_minute",
        "limits.count_cached_tokens",
        "cache.promote_after",
        "cache.scope",
        "cache.url_inputs",
        "jobs.max_inline",
        "jobs.max_inputs",
        "jobs.max_open",
        "jobs.chunk",
        "jobs.concurrency",
        "jobs.lease_seconds",
        "jobs.retain_seconds",
        "jobs.public_url",
    }
)
"""Settings that are read anew for each request. What is not here was built into something when the gateway started."""

_BY_NAME = frozenset({"tiers", "tenants", "backends", "models", "webhooks"})
_CONNECTED = ("url", "concurrency")
_DEV_TENANT = "dev"


def needs_restart(old: Config, new: Config) -> list[str]:
    """Settings that differ and that only a restart can change; none if all that differs can be taken up."""
    return list(_fixed(old, new))


def _fixed(old: Config, new: Config) -> Iterator[str]:
    for section in type(old).model_fields:
        if section in _BY_NAME:
            continue
        before, after = getattr(old, section), getattr(new, section)
        for setting in type(before).model_fields:
            name = f"{section}.{setting}"
            if name not in _LIVE and getattr(before, setting) != getattr(after, setting):
                yield name
    # Whether the developer's key counts depends on these, and it is looked at when the gateway starts.
    if bool(old.tenants) != bool(new.tenants) or (_DEV_TENANT in old.tenants) != (_DEV_TENANT in new.tenants):
        yield "tenants"
    if wants_embedded_model(old) != wants_embedded_model(new):
        yield "backends"
    for name in old.backends.keys() & new.backends.keys():
        for setting in _CONNECTED:
            if getattr(old.backends[name], setting) != getattr(new.backends[name], setting):
                yield f"backends.{name}.{setting}"

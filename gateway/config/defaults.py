"""P: what holds where the configuration says nothing: shipped tiers and the embedded model's backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.backends import Backend
from gateway.config.metering import FEW_SHOT
from gateway.config.schema import Bounds, Config, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

EMBEDDED = "embedded"
"""A backend's `url` that means the bundled model, wherever its process listens."""

LOCAL_BACKEND = "local"
"""Name of the backend that stands in when none is configured."""

ANONYMOUS = "anonymous"
"""The tier of each client address that calls without a key; endpoints that it does not name want one."""

SHIPPED_TIERS: Mapping[str, Tier] = {
    "free": Tier(rpm=500, tpm=1_000_000, concurrency=5),
    "tier1": Tier(rpm=500, tpm=10_000_000, concurrency=50),
    "tier2": Tier(rpm=5_000, tpm=100_000_000, concurrency=500),
    "key": Tier(
        endpoints={
            "embeddings": Bounds(rpm=500, tpm=1_000_000),
            "rerank": Bounds(rpm=500, tpm=1_000_000),
            "classify": Bounds(rpm=200, tpm=500_000),
            FEW_SHOT: Bounds(rpm=20, tpm=200_000),
            "train": Bounds(rpm=20, tpm=200_000),
            "segment": Bounds(rpm=200),
            "reader": Bounds(rpm=200),
            "search": Bounds(rpm=40),
            "ground": Bounds(rpm=10),
        }
    ),
    "premium": Tier(
        endpoints={
            "embeddings": Bounds(rpm=2_000, tpm=5_000_000),
            "rerank": Bounds(rpm=2_000, tpm=5_000_000),
            "classify": Bounds(rpm=1_000, tpm=3_000_000),
            FEW_SHOT: Bounds(rpm=60, tpm=1_000_000),
            "train": Bounds(rpm=60, tpm=1_000_000),
            "segment": Bounds(rpm=1_000),
            "reader": Bounds(rpm=1_000),
            "search": Bounds(rpm=100),
            "ground": Bounds(rpm=30),
        }
    ),
    ANONYMOUS: Tier(endpoints={"segment": Bounds(rpm=20), "reader": Bounds(rpm=20)}),
}
"""The API's plans: requests a minute, tokens a minute, requests at once; then those by product: with a key, with a
premium key, with none."""


def merged_tiers(config: Config) -> dict[str, Tier]:
    """Every tier. A configured tier of a shipped name changes only the settings it writes; null lifts a limit."""
    written = {
        name: {field: getattr(tier, field) for field in tier.model_fields_set} for name, tier in config.tiers.items()
    }
    names = (*SHIPPED_TIERS, *(name for name in written if name not in SHIPPED_TIERS))
    return {name: SHIPPED_TIERS.get(name, Tier()).model_copy(update=written.get(name, {})) for name in names}


def with_defaults(config: Config) -> Config:
    """The configuration as if the embedded model's backend had been written, when no backend was."""
    if config.backends:
        return config
    return config.model_copy(update={"backends": {LOCAL_BACKEND: Backend(dialect="tei", url=EMBEDDED)}})


def wants_embedded_model(config: Config) -> bool:
    """Whether a backend needs the bundled model's process."""
    return any(backend.url == EMBEDDED for backend in with_defaults(config).backends.values())

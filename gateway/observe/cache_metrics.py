"""E: metrics of the in-process layer of the cache, and of what it had to ask the store for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from prometheus_client import Counter, Gauge

from gateway.observe.levels import Growths

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class Layer(Protocol):
    """What the in-process layer knows of itself; totals are since its start."""

    @property
    def entries(self) -> int:
        """Answers held."""
        ...

    @property
    def weight(self) -> int:
        """Their bytes."""
        ...

    @property
    def limit_bytes(self) -> int:
        """How many they may be."""
        ...

    @property
    def evicted(self) -> int:
        """Answers that went for want of room."""
        ...

    @property
    def found(self) -> int:
        """Answers that were not here, but in the store."""
        ...

    @property
    def missing(self) -> int:
        """Answers that were in neither."""
        ...


class CacheMetrics:
    """Only what went past the layer is counted where it happens: hits of the layer are all hits less those found."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._entries = Gauge(
            "gateway_memory_entries",
            "Answers in the in-process layers of all workers.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._bytes = Gauge(
            "gateway_memory_bytes",
            "What these weigh, ready-to-send forms included.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._limit = Gauge(
            "gateway_memory_limit_bytes",
            "What they may weigh: cache.memory of each worker.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._evictions = Growths(
            Counter("gateway_memory_evictions", "Answers that the layers dropped for want of room.", registry=registry)
        )
        self._lookups = Growths(
            Counter(
                "gateway_cache_lookups",
                "Look-ups in the store of answers not in memory: found, missing. A miss may be looked up twice.",
                ("outcome",),
                registry=registry,
            )
        )

    def show(self, layer: Layer) -> None:
        """All there is now."""
        self._entries.set(layer.entries)
        self._bytes.set(layer.weight)
        self._limit.set(layer.limit_bytes)
        self._evictions.show({(): layer.evicted})
        self._lookups.show({("found",): layer.found, ("missing",): layer.missing})

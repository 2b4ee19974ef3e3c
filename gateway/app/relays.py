"""E: the routes that are relayed, wired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dispatch.opener import Opener
from gateway.edge.relayed import Chat, Door, Relayed, Segments
from gateway.endpoints import chat, services
from gateway.endpoints.segment import PATHS as SEGMENT
from gateway.plan.pages import SECONDS, Pages
from gateway.relay import Relay
from gateway.stores.redis.cache import RedisAnswers
from gateway.streams import Streams

if TYPE_CHECKING:
    from gateway.admit.budgets import Budgets
    from gateway.admit.estimate import Estimator
    from gateway.app.routes import Parts
    from gateway.dispatch.fleet import Fleet
    from gateway.dispatch.shaper import Shaper
    from gateway.edge.server import Route
    from gateway.stores.redis.client import Line

_FINE_TUNING = "/v1/fine-tuning"


class Relays:
    """Chat, reader, search, ground, fine-tuning, and segments where they are relayed."""

    def __init__(  # noqa: PLR0913, PLR0917 - the composition root hands over each part by name
        self, parts: Parts, cache_line: Line, budgets: Budgets, estimator: Estimator, shaper: Shaper, fleet: Fleet
    ) -> None:
        self._streams = Streams()
        store = RedisAnswers(cache_line, parts.keys, SECONDS, parts.clock, parts.observer)
        relay = Relay(
            pipeline=parts.pipeline,
            admission=parts.admission,
            budgets=budgets,
            estimator=estimator,
            opener=Opener(self._streams, parts.clock, parts.observer, shaper, fleet),
            pages=Pages(store, parts.clock),
            count=parts.books.add,
        )
        self._door = Door(parts.pipeline, relay, parts.clock)

    def paths(self, own_segments: Route) -> dict[str, Route]:
        """Each path, or beginning of paths, and who answers there."""
        return relayed_paths(self._door, own_segments)

    async def close(self) -> None:
        """Close the connections."""
        await self._streams.close()


def relayed_paths(door: Door, own_segments: Route) -> dict[str, Route]:
    """Each path, or beginning of paths, and who answers there."""
    found: dict[str, Route] = {chat.PATH: Chat(door)}
    for service in (services.READER, services.SEARCH, services.GROUND):
        prefix = f"/{service.name}"
        found[prefix] = found[f"{prefix}/"] = Relayed(door, service, prefix)
    tuning = Relayed(door, services.FINE_TUNING, _FINE_TUNING, _FINE_TUNING)
    found[_FINE_TUNING] = found[f"{_FINE_TUNING}/"] = tuning
    for path in SEGMENT:
        found[path] = Segments(door.pipeline, own_segments, Relayed(door, services.SEGMENT, path))
    return found

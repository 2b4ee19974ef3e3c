"""E: a worker's cache put together: the store's answers below its own, and who looks them up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.plan.planner import Planner
from gateway.stores.layered import LayeredAnswers
from gateway.stores.redis.cache import RedisAnswers
from gateway.stores.redis.claims import RedisClaims
from gateway.stores.redis.sketch import Sketch
from gateway.stores.redis.sources import RedisSources
from gateway.stores.redis.votes import RedisVotes

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot
    from gateway.ports import Clock, Observer
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys

_LAYER_SECONDS = 60.0
"""A worker may answer from its own memory for this long after an entry was deleted in the store."""


@dataclass(frozen=True, slots=True)
class Cached:
    """`answers` are those that this worker holds, `sources` tells whether others follow from some.

    `trace` is a sample of what was asked for.
    """

    planner: Planner
    answers: LayeredAnswers
    sources: RedisSources
    trace: Sketch
    claims: RedisClaims


def cached(line: Line, keys: Keys, snapshot: Snapshot, clock: Clock, observer: Observer) -> Cached:
    """The cache on a line to its store."""
    settings = snapshot.config.cache
    stored = RedisAnswers(line, keys, settings.ttl, clock, observer)
    votes = RedisVotes(line, keys, settings.ttl, observer)
    answers, trace = LayeredAnswers(stored, settings.memory, _LAYER_SECONDS, clock), Sketch(line, keys)
    claims = RedisClaims(line, keys, settings.claim_seconds)
    sources = RedisSources(line, keys, settings.ttl, clock)
    return Cached(Planner(answers, votes, trace, clock, sources), answers, sources, trace, claims)

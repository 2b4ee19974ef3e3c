"""Entries in the gateway's own form, put into a store directly: quicker than a million misses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from performance.cases import TEXT
from performance.servers import KEY
from performance.upstream import vector
from redis import Redis

from gateway.authenticate import digest
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Config
from gateway.endpoints import ENDPOINTS
from gateway.plan.cache_key import keys_of
from gateway.plan.origin import origin
from gateway.stores.redis.entry import encode
from gateway.stores.redis.keys import Keys
from gateway.vocabulary import Answer, Job, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.vocabulary import ItemKey

SMALL = "bench-small"
_BATCH = 2_000


def seed(store_url: str, config: dict[str, Any], number: int, values: int) -> None:
    """Store answers to the texts `{TEXT} 0` to `{TEXT} {number - 1}`, as the bench tenant's org has them.

    Only the last one is what the upstream would answer; the others, which nobody compares, are all of one vector.
    """
    store = Redis.from_url(store_url)
    name_of = Keys("gw").answer
    made, last = int(time.time()), f"{TEXT} {number - 1}"
    right, any_other = (np.array(vector(text, values), "<f4").tobytes() for text in (last, TEXT))
    for keys, texts in _keyed(config, number):
        pipeline = store.pipeline(transaction=False)
        for key, text in zip(keys, texts, strict=True):
            payload = right if text == last else any_other
            answer = Answer(Shape.DENSE, payload, values, 10, made=made, origin=origin(SMALL, "bench"))
            pipeline.set(name_of(key.address), encode(key.proof, answer), px=86_400_000)
        pipeline.execute()


def _keyed(config: dict[str, Any], number: int) -> Iterator[tuple[tuple[ItemKey, ...], list[str]]]:
    """Keys and texts, in batches, by the code that the gateway finds them with."""
    secret = config["server"]["secret"].encode()
    snapshot = compile_snapshot(Config.model_validate(config), secret=secret, digest=digest)
    caller = snapshot.directory[digest(KEY, secret)]
    endpoint = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "embeddings")
    for start in range(0, number, _BATCH):
        texts = [f"{TEXT} {at}" for at in range(start, min(number, start + _BATCH))]
        job = endpoint.validate(orjson.dumps({"model": SMALL, "input": texts}), snapshot)
        assert isinstance(job, Job)
        yield keys_of(job, caller, secret), texts

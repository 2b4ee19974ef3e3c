"""P: what tests of trained classifiers say to a gateway on fakes."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from fakes.gateway import SEARCH_KEY, Gateway, configured
from fakes.jina_upstream import Fault

from gateway.config.backends import ModelEntry
from gateway.config.schema import Tier
from gateway.errors import GatewayError

V3 = "jina-embeddings-v3"
HERE = {"models": {V3: ModelEntry(serve="local")}}
EXAMPLES = [("good thing", "yes"), ("bad", "no"), ("very good thing", "yes"), ("so bad", "no")]
WORDS = 2 + 1 + 3 + 2
BIG = {"tiers": {"small": Tier(rpm=100, tpm=100_000, concurrency=5)}}


def here(**changes: Any) -> Gateway:
    """A gateway that trains by itself."""
    return Gateway(configured(**(HERE | BIG | changes)))


def relaying(**changes: Any) -> Gateway:
    """A gateway whose upstream trains."""
    return Gateway(configured(**(BIG | changes)))


def examples(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"text": text, "label": label} for text, label in pairs or EXAMPLES]


async def asked(gateway: Gateway, endpoint: str, body: dict[str, Any], key: str = SEARCH_KEY) -> dict[str, Any]:
    reply, _ = await gateway.ask(endpoint, orjson.dumps(body), key)
    content: dict[str, Any] = orjson.loads(reply.body)
    return content


async def trained(gateway: Gateway, key: str = SEARCH_KEY, **fields: Any) -> str:
    content = await asked(gateway, "train", {"model": V3, "input": examples(), **fields}, key)
    return str(content["classifier_id"])


async def refused(gateway: Gateway, endpoint: str, body: dict[str, Any], key: str = SEARCH_KEY) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await asked(gateway, endpoint, body, key)
    return raised.value


async def begun(gateway: Gateway, endpoint: str, body: dict[str, Any]) -> tuple[asyncio.Event, asyncio.Task[Any]]:
    """A call whose backend does not answer before the event is set."""
    gate = asyncio.Event()
    gateway.upstream.faults.append(Fault(gate=gate))
    task = asyncio.create_task(asked(gateway, endpoint, body))
    while gateway.upstream.faults:  # noqa: ASYNC110 - the upstream tells nobody
        await asyncio.sleep(0)
    return gate, task


MAKERS = [here, relaying]

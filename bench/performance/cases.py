"""The cases of issue 7's table: what is sent, to whom, in front of which upstream."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from performance import servers
from performance.load import MARK, Load
from performance.servers import MODEL, Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from performance.programs import Program

    Opener = Callable[[Path, Program, bytes], AbstractContextManager[Server]]

TEXT = "a text of some length, as clients send when they look for something in what they know"
MANY = 100
RERANKER = "jina-reranker-v2-base-multilingual"


def embeddings(texts: list[str] | str) -> str:
    """A body for /v1/embeddings."""
    return json.dumps({"model": MODEL, "input": texts})


def rerank(documents: list[str]) -> str:
    """A body for /v1/rerank."""
    return json.dumps({"model": RERANKER, "query": "which text is long", "documents": documents})


@dataclass(frozen=True)
class Case:
    """One row of the table; `peers` are those measured once, as they take long.

    `delay` is the upstream's, in ms; `before` is sent first.
    """

    key: str
    title: str
    load: Load
    servers: dict[str, Opener]
    delay: int = 0
    peers: tuple[str, ...] = ()
    peer_connections: int | None = None
    before: tuple[str, ...] = ()

    def load_of(self, name: str) -> Load:
        """What a server gets: a peer that takes half a second of CPU for one call is not sent 32 at once."""
        fewer = self.peer_connections if name in self.peers else None
        return replace(self.load, connections=fewer) if fewer else self.load

    @property
    def probe(self) -> str:
        """A body to check answers with; where each body is new, one of them."""
        return self.load.body.replace(MARK, str(self.load.span - 1) if self.load.span else "probe")


def plain(folder: Path, upstream: Program, _: bytes) -> AbstractContextManager[Server]:
    """The gateway, one worker, whatever is usual."""
    return servers.gateway(folder, upstream)


def store_only(folder: Path, upstream: Program, _: bytes) -> AbstractContextManager[Server]:
    """The gateway without its in-process layer: each text comes from the store."""
    config = servers.gateway_config(upstream.port, cache={"memory": 0})
    return servers.gateway(folder, upstream, config=config)


def one_by_one(folder: Path, upstream: Program, _: bytes) -> AbstractContextManager[Server]:
    """The gateway, told to ask its backend for each text by itself."""
    config = servers.gateway_config(upstream.port)
    config["backends"]["jina"]["batch"] = False
    return servers.gateway(folder, upstream, config=config)


ONE = Load(embeddings([TEXT]))
NEW = Load(embeddings([f"{TEXT} {MARK}"]))
LIST = Load(embeddings([f"{TEXT}, number {number}" for number in range(MANY)]))
HALF = Load(
    embeddings(
        [f"{TEXT}, number {number}" + (f" {MARK}" if number % 2 else "") for number in range(MANY)],
    )
)
UNLIKE = Load(json.dumps({"model": MODEL, "input": [TEXT], "user": MARK}))
CHOICE = 1_000
CHOSEN = Load(embeddings([f"{TEXT}, number {MARK}"] * MANY), span=CHOICE)
KNOWN = tuple(
    embeddings([f"{TEXT}, number {number}" for number in range(start, start + MANY)])
    for start in range(0, CHOICE, MANY)
)
RANKED = Load(rerank([f"{TEXT}, number {number}" for number in range(MANY)]), "/v1/rerank")
PROXIES: dict[str, Opener] = {
    "gateway": plain,
    "bare aiohttp": servers.bare_proxy,
    "nginx": servers.nginx_proxy,
    "Portkey": servers.portkey,
    "LiteLLM": servers.litellm,
}
CACHES: dict[str, Opener] = {
    "gateway": plain,
    "bare aiohttp": servers.bare_application,
    "nginx": servers.nginx_cache,
    "LiteLLM": servers.litellm,
}
OURS: dict[str, Opener] = {"gateway": plain, "bare aiohttp": servers.bare_application}
SLOW = ("Portkey", "LiteLLM")

CASES = (
    Case("a", "cached hit, one text, in-process layer", ONE, CACHES, peers=SLOW),
    Case(
        "a_store",
        "cached hit, one text, from the store",
        ONE,
        {"gateway": store_only, "bare aiohttp": servers.bare_application},
    ),
    Case("a_unlike", "the same as (a), but no two requests alike", UNLIKE, OURS),
    Case("b", "miss, upstream of 0 ms, stored afterwards", NEW, PROXIES, peers=SLOW),
    Case(
        "b_alone",
        "the same as (b), but `batch: false`: each text is asked for by itself",
        NEW,
        {"gateway": one_by_one, "bare aiohttp": servers.bare_proxy},
    ),
    Case("c", "miss, upstream of 50 ms, 128 connections", Load(NEW.body, connections=128), PROXIES, 50, SLOW),
    Case("d", "100 texts, all cached, float JSON", LIST, CACHES, peers=SLOW, peer_connections=1),
    Case("d_unlike", "the same as (d), but each time another 100 of 1,000 texts", CHOSEN, OURS, before=KNOWN),
    Case("e", "100 texts, 50 of them new", HALF, {"gateway": plain}),
    Case(
        "f", "rerank, 100 documents, all cached", RANKED, {"gateway": plain, "bare aiohttp": servers.bare_application}
    ),
)

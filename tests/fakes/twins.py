"""P: backends with the same weights (ports.Transport, dialect tei), each ill, away or changed if a test says so."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter

import numpy as np
import orjson

from gateway.errors import TransportError
from gateway.ports import Exchange, RawReply

WIDTH = 8


class Twins:
    """Texts become vectors by their hash and the backend's `weights`; `asked` counts texts, `checked` health checks."""

    def __init__(self) -> None:
        self.weights: dict[str, str] = {}
        self.ill: set[str] = set()
        self.away: set[str] = set()
        self.asked: Counter[tuple[str, str]] = Counter()
        self.checked: Counter[str] = Counter()

    async def send(self, backend: str, exchange: Exchange, timeout_seconds: float) -> RawReply:
        del timeout_seconds
        await asyncio.sleep(0)
        if backend in self.away:
            raise TransportError("away", sent=False)
        if exchange.path == "/info":
            return RawReply(200, {}, b"{}")
        if exchange.method == "GET":
            self.checked[backend] += 1
            return RawReply(503 if backend in self.ill else 200, {}, b"")
        texts = orjson.loads(exchange.body)["inputs"]
        self.asked.update((backend, text) for text in texts)
        return RawReply(
            200, {"x-compute-tokens": str(len(texts))}, orjson.dumps([self.vector(backend, t) for t in texts])
        )

    def vector(self, backend: str, text: str) -> list[float]:
        seed = hashlib.blake2b(f"{self.weights.get(backend, '')}{text}".encode(), digest_size=8).digest()
        values = np.random.default_rng(int.from_bytes(seed, "little")).standard_normal(WIDTH)
        listed: list[float] = (values / np.linalg.norm(values)).tolist()
        return listed

"""E: one embeddings call through the pipeline, as a client would make it, and how alike its texts are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson

from gateway.edge.limit_headers import cache_headers, limit_headers
from gateway.endpoints import ENDPOINTS
from gateway.errors import FieldError, GatewayError, invalid_request
from gateway.vocabulary import Call, Directives, Facts, Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.config.snapshot import Snapshot
    from gateway.observe.observer import RequestObserver
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock

MOST_TEXTS = 12

_EMBEDDINGS = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "embeddings")
_OK = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: texts, the cosine of each pair, the vectors' length, tokens, headers, seconds."""

    texts: list[str]
    cosines: list[list[float]]
    dimensions: int
    tokens: int
    headers: Mapping[str, str]
    milliseconds: int


class Playground:
    """Its calls are authenticated, limited, counted, charged and measured like all others."""

    def __init__(
        self, pipeline: Pipeline, clock: Clock, observer: RequestObserver, status: Callable[[GatewayError], int]
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._observer = observer
        self._status = status

    async def send(self, form: Mapping[str, str], client: str) -> Outcome:
        """The outcome for a model, texts (one a line) and a key.

        Raises:
            GatewayError: what a client would have been told.
        """
        texts = [line.strip() for line in form.get("texts", "").splitlines() if line.strip()]
        if not 1 <= len(texts) <= MOST_TEXTS:
            text = f"must be 1 to {MOST_TEXTS} lines"
            raise invalid_request((FieldError("body -> texts", text, "texts_count"),))
        body = orjson.dumps({"model": form.get("model", ""), "input": texts})
        call = self._call(body, form.get("key", ""), client, new="new" in form)
        started, facts = self._clock.monotonic(), Facts("embeddings", call.request_id)
        failure: GatewayError | None = None
        try:
            reply = await self._pipeline.serve(_EMBEDDINGS, call, facts)
        except GatewayError as error:
            failure = error
            raise
        finally:
            seconds = self._clock.monotonic() - started
            self._observer.request(facts, seconds, failure, self._status(failure) if failure else _OK)
        whole = reply.body if reply.pieces is None else b"".join(reply.pieces)
        headers = limit_headers(facts.remaining) | cache_headers(reply)
        return await asyncio.to_thread(_outcome, texts, whole, headers, round(seconds * 1_000))

    def _call(self, body: bytes, key: str, client: str, *, new: bool) -> Call:
        async def read() -> bytes:
            return body

        seconds = self._pipeline.snapshot.config.server.timeout
        return Call(
            read=read,
            credentials=f"Bearer {key}" if key else None,
            client=client,
            request_id=self._clock.identifier(),
            deadline=self._clock.monotonic() + seconds,
            directives=Directives(no_cache=new),
            timeout=seconds,
        )


def models(snapshot: Snapshot) -> list[str]:
    """The models that embed texts, one vector each."""
    entries = {entry.model.name: entry.model for entry in snapshot.served.values()}
    return [
        name
        for name, model in sorted(entries.items())
        if model.embeddings is not None and model.shape is Shape.DENSE and Modality.TEXT in model.modalities
    ]


def _outcome(texts: list[str], body: bytes, headers: Mapping[str, str], milliseconds: int) -> Outcome:
    content = orjson.loads(body)
    vectors = np.array([entry["embedding"] for entry in content["data"]], dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths == 0, 1, lengths)
    cosines = np.round(unit @ unit.T, 3).tolist()
    return Outcome(texts, cosines, vectors.shape[1], content["usage"]["total_tokens"], headers, milliseconds)

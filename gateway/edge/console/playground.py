"""E: one embeddings or rerank call through the pipeline, as a client would make it, and the way that it took."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from gateway.edge.console.findings import alike, ranked
from gateway.edge.limit_headers import cache_headers, limit_headers
from gateway.endpoints import ENDPOINTS
from gateway.errors import FieldError, GatewayError, invalid_request
from gateway.vocabulary import Call, Directives, Facts, Modality, Shape, dollars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from gateway.config.snapshot import Snapshot
    from gateway.edge.console.findings import Likeness, Rank
    from gateway.observe.observer import RequestObserver
    from gateway.pipeline import Pipeline
    from gateway.ports import Clock

    Calls = Sequence[tuple[str, str, float, int]]

MOST_TEXTS = 12
EMBED, RERANK = "embeddings", "rerank"

_ENDPOINTS = {endpoint.name: endpoint for endpoint in ENDPOINTS if endpoint.name in {EMBED, RERANK}}
_OK = 200


@dataclass(frozen=True, slots=True)
class Way:
    """What a call went through: milliseconds by stage, what became of each input, calls to backends, costs (USD)."""

    stages: Sequence[tuple[str, float]]
    told: Sequence[str]
    calls: Calls
    cost: str
    saved: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: how alike texts are, or their ranking; tokens, headers, milliseconds, the way it took."""

    texts: Sequence[str]
    likeness: Likeness | None
    ranking: Sequence[Rank]
    tokens: int
    headers: Mapping[str, str]
    milliseconds: float
    way: Way


class Playground:
    """Its calls are authenticated, limited, counted, charged and measured like all others.

    `watched` gives a list of the calls to backends that are made while its block runs.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        clock: Clock,
        observer: RequestObserver,
        status: Callable[[GatewayError], int],
        watched: Callable[[], AbstractContextManager[Calls]],
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._observer = observer
        self._status = status
        self._watched = watched

    async def send(self, form: Mapping[str, str], client: str) -> Outcome:
        """The outcome for a model (`endpoint name`), texts (one a line), a query for a ranking, and a key.

        Raises:
            GatewayError: what a client would have been told.
        """
        texts = [line.strip() for line in form.get("texts", "").splitlines() if line.strip()]
        if not 1 <= len(texts) <= MOST_TEXTS:
            text = f"must be 1 to {MOST_TEXTS} lines"
            raise invalid_request((FieldError("body -> texts", text, "texts_count"),))
        kind, _, model = form.get("model", "").rpartition(" ")
        endpoint = _ENDPOINTS.get(kind, _ENDPOINTS[EMBED])
        asked = {"query": form.get("query", ""), "documents": texts} if endpoint.name == RERANK else {"input": texts}
        call = self._call(orjson.dumps({"model": model, **asked}), form.get("key", ""), client, new="new" in form)
        started, facts = self._clock.monotonic(), Facts(endpoint.name, call.request_id, told=[])
        failure: GatewayError | None = None
        try:
            with self._watched() as calls:
                reply = await self._pipeline.serve(endpoint, call, facts)
        except GatewayError as error:
            failure = error
            raise
        finally:
            seconds = self._clock.monotonic() - started
            self._observer.request(facts, seconds, failure, self._status(failure) if failure else _OK)
        whole = reply.body if reply.pieces is None else b"".join(reply.pieces)
        content = orjson.loads(whole)
        return Outcome(
            texts,
            None if endpoint.name == RERANK else await asyncio.to_thread(alike, content),
            ranked(content, texts) if endpoint.name == RERANK else (),
            content["usage"]["total_tokens"],
            limit_headers(facts.remaining) | cache_headers(reply),
            round(seconds * 1_000, 1),
            _way(facts, calls),
        )

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


def models(snapshot: Snapshot) -> dict[str, list[str]]:
    """The models that embed texts, one vector each, and those that rank them."""
    entries = sorted({entry.model.name: entry.model for entry in snapshot.served.values()}.items())
    reading = [(name, model) for name, model in entries if Modality.TEXT in model.modalities]
    return {
        EMBED: [name for name, model in reading if model.embeddings is not None and model.shape is Shape.DENSE],
        RERANK: [name for name, model in reading if model.rerank is not None],
    }


def _way(facts: Facts, calls: Calls) -> Way:
    """The stages in the order of their first turn; admission has two."""
    spent: dict[str, float] = {}
    for stage, seconds in facts.stages:
        spent[stage.value] = spent.get(stage.value, 0.0) + seconds * 1_000
    told = facts.told or []
    return Way(list(spent.items()), told, calls, dollars(facts.nanos), dollars(facts.saved_nanos), facts)

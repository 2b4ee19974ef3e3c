"""P: Cohere's API, version 2, as a backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backends.answering import OK, believed, dense, scores
from gateway.backends.apportion import shares
from gateway.backends.asking import bearer, given, post, texts
from gateway.backends.dialect import CallLimits, Outcome, OutcomeKind, Silent
from gateway.backends.reading import UnreadableError, failure, json_of, message_of
from gateway.vocabulary import Shape

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import Exchange, RawReply
    from gateway.vocabulary import Answer, Json

_NOT_FOUND = 404
_EXACT = 2**53
_INVALID_TOKEN = 498
_DOCUMENT = "search_document"
_INPUT_TYPES = {
    "query": "search_query",
    "document": _DOCUMENT,
    "retrieval.query": "search_query",
    "retrieval.passage": _DOCUMENT,
    "classification": "classification",
    "clustering": "clustering",
    "separation": "clustering",
}
"""Our tasks and input types → `input_type`, which Cohere's models since v3 must have. Any other is a document."""


class Cohere(Silent):
    """Dialect `cohere`."""

    name = "cohere"
    limits = CallLimits(inputs=96, documents=1000)
    health: str | None = None

    def encode(self, ask: Ask) -> Exchange:
        """`POST /v2/embed` or `POST /v2/rerank`."""
        if ask.job.shape is Shape.SCORE:
            body: dict[str, Json] = {"model": ask.model, "query": ask.job.query, "documents": texts(ask)}
            return post("/v2/rerank", body, bearer(ask.credential))
        parameters = dict(ask.job.parameters)
        purpose = str(parameters.get("task") or parameters.get("input_type") or "")
        body = given(
            model=ask.model,
            texts=texts(ask),
            input_type=_INPUT_TYPES.get(purpose, _DOCUMENT),
            embedding_types=["float"],
            truncate="END" if parameters.get("truncate") else "NONE",
            output_dimension=parameters.get("dimensions"),
        )
        return post("/v2/embed", body, bearer(ask.credential))

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """Vectors by type, or a ranking; tokens are in `meta.billed_units`."""
        if reply.status == OK:
            return believed(lambda: _answers(ask, json_of(reply)))
        if reply.status == _NOT_FOUND and "model" in message_of(reply.body):
            return Outcome(OutcomeKind.MODEL_NOT_FOUND)
        return Outcome(OutcomeKind.REFUSED, of_key=True) if reply.status == _INVALID_TOKEN else failure(reply)


def _answers(ask: Ask, content: Json) -> list[Answer]:
    if not isinstance(content, dict):
        raise UnreadableError("the body is not an object")
    tokens = shares(_billed(content.get("meta")), ask)
    if ask.job.shape is Shape.SCORE:
        return scores(ask, content.get("results"), "relevance_score", tokens)
    kinds = content.get("embeddings")
    rows = kinds.get("float") if isinstance(kinds, dict) else None
    if not isinstance(rows, list):
        raise UnreadableError("the body has no embeddings of type float")
    return dense(ask, rows, tokens)


def _billed(meta: Json) -> int | None:
    """Input tokens; a rerank is billed by the search, so it has none."""
    units = meta.get("billed_units") if isinstance(meta, dict) else None
    count = units.get("input_tokens") if isinstance(units, dict) else None
    return int(count) if isinstance(count, int | float) and 0 <= count < _EXACT else None

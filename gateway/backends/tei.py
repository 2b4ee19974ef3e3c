"""P: text-embeddings-inference as a backend, by its native routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.backends.answering import OK, believed, dense, labels, of_unit_length, scores, wants_unit_length
from gateway.backends.apportion import shares
from gateway.backends.asking import bearer, given, post, texts
from gateway.backends.dialect import CallLimits, Outcome
from gateway.backends.reading import UnreadableError, failure, json_of, same_width, score, vector
from gateway.ports import Exchange
from gateway.vocabulary import FLOAT_BYTES, Answer, Shape

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import RawReply
    from gateway.vocabulary import Json

_TOKENS_HEADER = "x-compute-tokens"
"""The native routes' bodies have no usage; this header has the call's tokens."""

_DIGITS = 16
"""A number of tokens has fewer."""

_VECTORS = 1_024
"""Token vectors come as JSON: of 384 values each, so many are some 4 MB to read."""


class TextEmbeddingsInference:
    """Dialect `tei`. The native routes are used because only they take `truncate` and `normalize` a request."""

    name = "tei"
    limits = CallLimits(inputs=32, documents=32, size=2_000_000, vectors=_VECTORS)
    health: str | None = "/health"

    def encode(self, ask: Ask) -> Exchange:
        """`POST /embed`, `/embed_sparse`, `/embed_all`, `/rerank` or `/predict`, by the shape of the answer."""
        inputs = texts(ask)
        parameters = dict(ask.job.parameters)
        truncate = bool(parameters.get("truncate", False))
        body: dict[str, Json] = {"inputs": inputs, "truncate": truncate}
        match ask.job.shape:
            case Shape.SCORE:
                path = "/rerank"
                body = {"query": ask.job.query, "texts": inputs, "truncate": bool(parameters.get("truncation", False))}
            case Shape.LABELS:
                path = "/predict"
                body["inputs"] = [[text] for text in inputs]  # a bare list of two would be one pair
            case Shape.SPARSE:
                path = "/embed_sparse"
            case Shape.MULTI:
                path = "/embed_all"
            case _:
                path = "/embed"
                body |= given(normalize=wants_unit_length(ask), dimensions=parameters.get("dimensions"))
        return post(path, body, bearer(ask.credential))

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """A bare list; sorted by score for rerank, in order for all else."""
        return believed(lambda: _answers(ask, reply)) if reply.status == OK else failure(reply)

    def inquire(self, credential: str | None) -> Exchange | None:
        """`GET /info` names `max_client_batch_size` and `max_input_length`."""
        return Exchange("GET", "/info", headers=bearer(credential))

    def learn(self, reply: RawReply, model: str) -> CallLimits:
        """Texts a call, for all routes, and tokens of each."""
        del model
        try:
            content = json_of(reply)
        except UnreadableError:
            return CallLimits()
        told = content if isinstance(content, dict) else {}
        most, longest = _positive(told.get("max_client_batch_size")), _positive(told.get("max_input_length"))
        return CallLimits(inputs=most, documents=most, each=longest)


def _positive(value: Json) -> int | None:
    return value if type(value) is int and value > 0 else None


def _answers(ask: Ask, reply: RawReply) -> list[Answer]:
    header = reply.headers.get(_TOKENS_HEADER, "")
    counted = int(header) if header.isdecimal() and len(header) < _DIGITS else None
    tokens = shares(counted, ask)
    content = json_of(reply)
    match ask.job.shape:
        case Shape.SCORE:
            return scores(ask, content, "score", tokens)
        case Shape.LABELS:
            return labels(ask, content, tokens)
        case Shape.SPARSE:
            weights = [_weights(row) for row in _rows(ask, content)]
            return [Answer(Shape.SPARSE, row, 0, count) for row, count in zip(weights, tokens, strict=True)]
        case Shape.MULTI:
            found = [_multi(ask, row, count) for row, count in zip(_rows(ask, content), tokens, strict=True)]
            same_width([bytes(answer.width) for answer in found])
            return found
        case _:
            return dense(ask, _rows(ask, content), tokens, as_sent=True)


def _rows(ask: Ask, content: Json) -> list[Json]:
    if not isinstance(content, list) or len(content) != len(ask.units):
        raise UnreadableError(f"expected {len(ask.units)} vectors")
    return content


def _weights(row: Json) -> bytes:
    """`[{index, value}]` → the JSON object that the contract has; the tokens are numbers of the vocabulary."""
    if not isinstance(row, list) or not all(isinstance(entry, dict) for entry in row):
        raise UnreadableError("a sparse vector is no list of weights")
    if not all(type(entry.get("index")) is int for entry in row):
        raise UnreadableError("a weight has no index")
    return orjson.dumps({str(entry["index"]): score(entry.get("value")) for entry in row})


def _multi(ask: Ask, row: Json, tokens: int) -> Answer:
    """One vector a token; they come as the model computed them, of any length."""
    if not isinstance(row, list) or not row:
        raise UnreadableError("a multi-vector has no vectors")
    vectors = [vector(entry) for entry in row]
    width = same_width(vectors) // FLOAT_BYTES
    payload = b"".join(vectors)
    return Answer(Shape.MULTI, of_unit_length(payload, width) if wants_unit_length(ask) else payload, width, tokens)

"""P: text-embeddings-inference as a backend, by its native routes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import orjson

from gateway.backends.apportion import shares
from gateway.backends.dialect import CallLimits, Outcome, OutcomeKind
from gateway.backends.reading import UnreadableError, failure, in_order, json_of, same_width, score, vector
from gateway.ports import Exchange
from gateway.vocabulary import FLOAT_BYTES, Answer, Shape

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import RawReply
    from gateway.vocabulary import Json

_TOKENS_HEADER = "x-compute-tokens"
"""The native routes' bodies have no usage; this header has the call's tokens."""


class TextEmbeddingsInference:
    """Dialect `tei`. The native routes are used because only they take `truncate` and `normalize` a request."""

    name = "tei"
    limits = CallLimits(inputs=32, documents=32, size=2_000_000)
    health: str | None = "/health"

    def encode(self, ask: Ask) -> Exchange:
        """`POST /embed` or `POST /rerank`; texts only, which the models' schemas have made sure of."""
        texts = [part.value for unit in ask.units for item in unit for part in item.parts]
        parameters = dict(ask.job.parameters)
        body: dict[str, Json]
        if ask.job.endpoint == "rerank":
            path = "/rerank"
            body = {"query": ask.job.query, "texts": texts, "truncate": bool(parameters.get("truncation", False))}
        else:
            path = "/embed"
            body = {
                "inputs": texts,
                "truncate": bool(parameters.get("truncate", False)),
                "normalize": bool(parameters.get("normalized", True)),
            }
        headers = {"content-type": "application/json", "accept": "application/json"}
        if ask.credential:
            headers["authorization"] = f"Bearer {ask.credential}"
        return Exchange("POST", path, orjson.dumps(body), headers)

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """A bare list; sorted by score for rerank, in order for embeddings."""
        if reply.status != 200:  # noqa: PLR2004 - HTTP's OK
            return failure(reply)
        header = reply.headers.get(_TOKENS_HEADER, "")
        tokens = shares(int(header) if header.isdigit() else None, ask)
        try:
            content = json_of(reply)
            answers = _scores(ask, content, tokens) if ask.job.shape is Shape.SCORE else _vectors(ask, content, tokens)
        except UnreadableError as error:
            return Outcome(OutcomeKind.GARBAGE, message=str(error))
        return Outcome(OutcomeKind.ANSWERED, tuple(answers))

    def inquire(self, credential: str | None) -> Exchange | None:
        """`GET /info` names `max_client_batch_size`."""
        headers = {"authorization": f"Bearer {credential}"} if credential else {}
        return Exchange("GET", "/info", headers=headers)

    def learn(self, reply: RawReply, model: str) -> CallLimits:
        """Texts a call, for both routes."""
        del model
        try:
            content = json_of(reply)
        except UnreadableError:
            return CallLimits()
        most = content.get("max_client_batch_size") if isinstance(content, dict) else None
        return CallLimits(inputs=most, documents=most) if type(most) is int and most > 0 else CallLimits()


def _vectors(ask: Ask, content: Json, tokens: list[int]) -> list[Answer]:
    if not isinstance(content, list) or len(content) != len(ask.units):
        raise UnreadableError(f"expected {len(ask.units)} vectors")
    rows = [vector(row) for row in content]
    width = same_width(rows) // FLOAT_BYTES
    return [Answer(Shape.DENSE, row, width, count) for row, count in zip(rows, tokens, strict=True)]


def _scores(ask: Ask, content: Json, tokens: list[int]) -> list[Answer]:
    entries = in_order(content, len(ask.units), ordered=False)
    scores = [score(entry.get("score")) for entry in entries]
    return [Answer(Shape.SCORE, struct.pack("<d", s), 0, count) for s, count in zip(scores, tokens, strict=True)]

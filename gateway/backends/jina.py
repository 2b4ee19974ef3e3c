"""P: the Jina Search Foundation API as a backend."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from gateway.backends import classifying, training
from gateway.backends.apportion import shares
from gateway.backends.dialect import CallLimits, Outcome, OutcomeKind, Silent
from gateway.backends.lone import lone_vector
from gateway.backends.reading import (
    UnreadableError,
    failure,
    in_order,
    json_of,
    same_width,
    score,
    total_tokens,
    vector,
    vectors,
)
from gateway.errors import Code, FieldError
from gateway.ports import Exchange
from gateway.vocabulary import FLOAT_BYTES, Answer, Modality, Shape

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import RawReply
    from gateway.vocabulary import Item, Json

_TOLD = {
    OutcomeKind.REFUSED: frozenset(Code),
    OutcomeKind.INVALID: frozenset({Code.INPUT_INVALID_LABELS, Code.INPUT_LABEL_LIMIT_EXCEEDED}),
}
"""Codes that say more than the status, by what the status says."""

_VECTORS = frozenset({Shape.DENSE, Shape.MULTI})


def wire_item(item: Item) -> Json:
    """An item as the contract spells it: a plain string for text, else an object named by modality."""
    if item.modality is Modality.GROUP:
        return {"content": [{part.modality.value: part.value} for part in item.parts]}
    part = item.parts[0]
    return part.value if item.modality is Modality.TEXT else {part.modality.value: part.value}


class Jina(Silent):
    """Dialect `jina`. Vectors are asked for as base64 float32 of full length: quick to read, and all else derives."""

    name = "jina"
    limits = CallLimits(inputs=512, documents=2048)
    health: str | None = None

    def encode(self, ask: Ask) -> Exchange:
        """`POST /v1/embeddings`, `/v1/rerank`, `/v1/classify` or `/v1/train`, or `DELETE /v1/classifiers/…`."""
        items = [wire_item(item) for unit in ask.units for item in unit]
        body: dict[str, Json] = {"model": ask.model, **dict(ask.job.parameters)}
        if ask.job.endpoint == "rerank":
            body |= {"query": ask.job.query, "documents": items, "return_documents": False}
        elif training.is_training(ask):
            body = training.training_body(ask)
        elif ask.job.endpoint == classifying.ENDPOINT and training.identifier_of(ask) is not None:
            body = training.few_shot_body(ask, items)
        elif ask.job.endpoint == classifying.ENDPOINT:
            inputs = [wire_item(item) for item in classifying.inputs_of(ask)]
            body |= {"labels": classifying.labels_of(ask), "input": inputs}
        else:
            alone = len(items) == 1 and ask.units[0][0].modality is Modality.PDF
            body["input"] = items[0] if alone else items
            if ask.job.shape in _VECTORS:
                body["embedding_type"] = "base64"
            elif isinstance(kinds := body.get("embedding_type"), str) and "," in kinds:
                body["embedding_type"] = kinds.split(",")
        headers = {"content-type": "application/json", "accept": "application/json"}
        if ask.credential:
            headers["authorization"] = f"Bearer {ask.credential}"
        if ask.job.endpoint == training.CLASSIFIERS:
            return Exchange("DELETE", training.removal_path(ask), b"", headers)
        return Exchange("POST", f"/v1/{ask.job.endpoint}", orjson.dumps(body), headers)

    def decode(self, ask: Ask, reply: RawReply) -> Outcome:
        """Checks count, order, dimension, finiteness, type and model name before anything is believed."""
        if reply.status != 200:  # noqa: PLR2004 - HTTP's OK
            return training.refusal(ask, reply) or _failure(reply)
        try:
            content = json_of(reply)
            if not isinstance(content, dict):
                raise UnreadableError("the body is not an object")
            named = content.get("model")
            if isinstance(named, str) and named != ask.model and _bare(named) != _bare(ask.model):
                raise UnreadableError("the answer is of another model")
            if ask.job.endpoint == training.CLASSIFIERS:
                return Outcome(OutcomeKind.ANSWERED, (Answer(Shape.VERBATIM, b"{}", 0, 0),))
            if (lone := lone_vector(ask, content)) is not None:
                return Outcome(OutcomeKind.ANSWERED, (lone,))
            tokens = shares(total_tokens(content.get("usage")), ask)
            if training.is_training(ask):
                payload = training.trained(ask, content)
                return Outcome(OutcomeKind.ANSWERED, (Answer(Shape.VERBATIM, payload, 0, tokens[0]),))
            entries = content.get("results" if ask.job.endpoint == "rerank" else "data")
            return Outcome(OutcomeKind.ANSWERED, tuple(_answers(ask, entries, tokens)))
        except UnreadableError as error:
            return Outcome(OutcomeKind.GARBAGE, message=str(error))


def _bare(model: str) -> str:
    return model.rpartition("/")[2]


def _answers(ask: Ask, entries: Json, tokens: list[int]) -> list[Answer]:
    match ask.job.shape:
        case Shape.SCORE:
            scores = [score(entry.get("relevance_score")) for entry in in_order(entries, len(ask.units), ordered=False)]
            return [Answer(Shape.SCORE, struct.pack("<d", s), 0, t) for s, t in zip(scores, tokens, strict=True)]
        case Shape.RANKING:
            return [Answer(Shape.RANKING, _ranking(entries, len(ask.units[0])), 0, tokens[0])]
        case Shape.VERBATIM:
            return [Answer(Shape.VERBATIM, _verbatim(ask, entries), 0, tokens[0])]
        case Shape.SPARSE:
            weights = _sparse(entries, len(ask.units))
            return [Answer(Shape.SPARSE, w, 0, t) for w, t in zip(weights, tokens, strict=True)]
        case Shape.MULTI:
            return _multi(in_order(entries, len(ask.units), ordered=True), tokens)
        case Shape.DENSE:
            return _dense(ask, entries, tokens)
        case Shape.LABELS:
            raise UnreadableError("the API has no such answers")


def _verbatim(ask: Ask, entries: Json) -> bytes:
    if ask.job.endpoint == classifying.ENDPOINT and training.identifier_of(ask) is not None:
        return training.few_shot(ask, entries)
    if ask.job.endpoint == classifying.ENDPOINT:
        return classifying.classifications(ask, entries)
    in_order(entries, _expected(ask, entries), ordered=True)
    return orjson.dumps(entries)


def _expected(ask: Ask, entries: Json) -> int:
    """How many results an ask must have: one an input, but a PDF has one a page, and only the model saw how many."""
    if ask.units[0][0].modality is Modality.PDF and isinstance(entries, list) and entries:
        return len(entries)
    return sum(len(unit) for unit in ask.units)


def _dense(ask: Ask, entries: Json, tokens: list[int]) -> list[Answer]:
    rows = vectors([entry.get("embedding") for entry in in_order(entries, _expected(ask, entries), ordered=True)])
    width = same_width(rows) // FLOAT_BYTES
    if ask.job.whole or ask.units[0][0].modality is Modality.PDF:
        return [Answer(Shape.DENSE, b"".join(rows), width, tokens[0])]
    return [Answer(Shape.DENSE, row, width, t) for row, t in zip(rows, tokens, strict=True)]


def _multi(entries: list[dict[str, Json]], tokens: list[int]) -> list[Answer]:
    answers = []
    for entry, count in zip(entries, tokens, strict=True):
        listed = entry.get("embeddings")
        if not isinstance(listed, list) or not listed:
            raise UnreadableError("a multi-vector has no vectors")
        rows = vectors(listed)
        words = entry.get("tokenized_input")
        extra = orjson.dumps(words) if words is not None else b""
        answers.append(Answer(Shape.MULTI, b"".join(rows), same_width(rows) // FLOAT_BYTES, count, extra))
    same_width([bytes(answer.width) for answer in answers])
    return answers


def _sparse(entries: Json, count: int) -> list[bytes]:
    """Sparse vectors in the order sent, or by `index` where each is inside `embedding`.

    Bare ones have no index: a text may well have the words "index" and "embedding" in it.
    """
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UnreadableError("a sparse vector is no object")
    if entries and all(isinstance(entry.get("embedding"), dict) for entry in entries):
        return [_weights(entry["embedding"]) for entry in in_order(entries, count, ordered=True)]
    if len(entries) != count:
        raise UnreadableError(f"expected {count} results")
    return [_weights(entry) for entry in entries]


def _weights(weights: dict[str, Json]) -> bytes:
    for weight in weights.values():
        score(weight)
    return orjson.dumps(weights)


def _ranking(entries: Json, count: int) -> bytes:
    """A listwise answer over the whole list, by position."""
    ranked = []
    for entry in in_order(entries, count, ordered=False):
        kept: dict[str, Json] = {"index": entry["index"], "relevance_score": score(entry.get("relevance_score"))}
        if (embedding := entry.get("embedding")) is not None:
            vector(embedding)
            kept["embedding"] = embedding
        ranked.append(kept)
    return orjson.dumps(ranked)


def _failure(reply: RawReply) -> Outcome:
    """The contract's error body: its code tells more than the status."""
    outcome = failure(reply)
    if outcome.kind is OutcomeKind.REFUSED and reply.status == 401:  # noqa: PLR2004 - HTTP's Unauthorized
        outcome = replace(outcome, code=Code.AUTH_INVALID_API_KEY)
    try:
        content = json_of(reply)
    except UnreadableError:
        return outcome
    if not isinstance(content, dict):
        return outcome
    if content.get("code") == Code.INPUT_MODEL_NOT_FOUND:
        return Outcome(OutcomeKind.MODEL_NOT_FOUND)
    code = content.get("code")
    if isinstance(code, str) and code in _TOLD.get(outcome.kind, ()):
        return replace(outcome, code=Code(code))
    listed = content.get("errors")
    if outcome.kind is not OutcomeKind.INVALID or not isinstance(listed, list):
        return outcome
    errors = tuple(
        FieldError(str(entry.get("field", "")), str(entry.get("message", "")), str(entry.get("type", "")))
        for entry in listed[:64]
        if isinstance(entry, dict)
    )
    return Outcome(outcome.kind, message=outcome.message, errors=errors)

"""P: checked rows, scores and labels → the answers of an ask, in the form that is stored."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import orjson

from gateway.backends.dialect import Outcome, OutcomeKind
from gateway.backends.reading import UnreadableError, in_order, same_width, score, vectors
from gateway.vocabulary import FLOAT_BYTES, Answer, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.backends.dialect import Ask
    from gateway.vocabulary import Json

OK = 200
_UNIT_TOLERANCE = 1e-3
"""A vector this near to length one was normalised by its model, maybe in half precision; its values are kept."""


def believed(read: Callable[[], list[Answer]]) -> Outcome:
    """What `read` gives, or GARBAGE where it finds a reply unreadable."""
    try:
        return Outcome(OutcomeKind.ANSWERED, tuple(read()))
    except UnreadableError as error:
        return Outcome(OutcomeKind.GARBAGE, message=str(error))


def of_unit_length(payload: bytes, width: int) -> bytes:
    """Rows of `width` float32, each scaled to L2 length one; rows that have it and rows of zeros stay as they are."""
    rows = np.frombuffer(payload, dtype="<f4").reshape(-1, width)
    lengths = np.linalg.norm(rows.astype("<f8"), axis=1, keepdims=True)
    wrong = (np.abs(lengths - 1.0) > _UNIT_TOLERANCE) & (lengths > 0)
    if not wrong.any():
        return payload
    scaled: bytes = (rows / np.where(wrong, lengths, 1.0)).astype("<f4").tobytes()
    return scaled


def wants_unit_length(ask: Ask) -> bool:
    """Whether the client left normalisation on; models without that switch are always normalised."""
    return dict(ask.job.parameters).get("normalized") is not False


def dense(ask: Ask, rows: Sequence[Json], tokens: Sequence[int], *, as_sent: bool = False) -> list[Answer]:
    """One vector a unit, of unit length unless the job says otherwise; `as_sent`: the backend has seen to that.

    Raises:
        UnreadableError: there are more or fewer than units, or one cannot be believed.
    """
    if len(rows) != len(ask.units):
        raise UnreadableError(f"expected {len(ask.units)} vectors")
    payloads = vectors(rows)
    width = same_width(payloads) // FLOAT_BYTES
    if wants_unit_length(ask) and not as_sent:
        payloads = [of_unit_length(payload, width) for payload in payloads]
    return [Answer(Shape.DENSE, payload, width, count) for payload, count in zip(payloads, tokens, strict=True)]


def scores(ask: Ask, entries: Json, field: str, tokens: Sequence[int]) -> list[Answer]:
    """One relevance a document, by its `index`; `field` is what the dialect calls it.

    Raises:
        UnreadableError: entries are missing, doubled, or have no finite score.
    """
    found = [score(entry.get(field)) for entry in in_order(entries, len(ask.units), ordered=False)]
    return [Answer(Shape.SCORE, struct.pack("<d", s), 0, count) for s, count in zip(found, tokens, strict=True)]


def labels(ask: Ask, entries: Json, tokens: Sequence[int]) -> list[Answer]:
    """Every label of each unit with its score, best first, equal ones in the order sent.

    Raises:
        UnreadableError: a unit has no labels, a label is no text, or a score is not finite.
    """
    if not isinstance(entries, list) or len(entries) != len(ask.units):
        raise UnreadableError(f"expected {len(ask.units)} classifications")
    found = [orjson.dumps(_sorted_labels(entry)) for entry in entries]
    return [Answer(Shape.LABELS, payload, 0, count) for payload, count in zip(found, tokens, strict=True)]


def _sorted_labels(entry: Json) -> list[Json]:
    if not isinstance(entry, list) or not entry or not all(isinstance(label, dict) for label in entry):
        raise UnreadableError("a classification has no labels")
    if not all(isinstance(label.get("label"), str) for label in entry):
        raise UnreadableError("a label is no text")
    read = [{"label": label["label"], "score": score(label.get("score"))} for label in entry]
    return sorted(read, key=lambda label: -label["score"])

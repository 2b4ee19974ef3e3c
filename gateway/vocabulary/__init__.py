"""P: the nouns that every stage speaks."""

from __future__ import annotations

from gateway.vocabulary.content import (
    FLOAT_BYTES,
    SCORE_BYTES,
    TRAIN,
    Answer,
    Inline,
    Item,
    ItemKey,
    Job,
    Json,
    Modality,
    Part,
    Piece,
    Shape,
    Unit,
)
from gateway.vocabulary.course import Cause, Charge, Facts, Fresh, Plan, Saving
from gateway.vocabulary.exchange import CacheScope, Call, Caller, Directives, Lane, Remaining, Reply, Stage
from gateway.vocabulary.ledger import SECONDS_PER_HOUR, Account, Batch, Tally, total
from gateway.vocabulary.limits import Fallback, Limits, Meter, Scope
from gateway.vocabulary.money import dollars, nanos
from gateway.vocabulary.tracing import CallSpan, Departure, RequestTrace, TraceContext

__all__ = [
    "FLOAT_BYTES",
    "SCORE_BYTES",
    "SECONDS_PER_HOUR",
    "TRAIN",
    "Account",
    "Answer",
    "Batch",
    "CacheScope",
    "Call",
    "CallSpan",
    "Caller",
    "Cause",
    "Charge",
    "Departure",
    "Directives",
    "Facts",
    "Fallback",
    "Fresh",
    "Inline",
    "Item",
    "ItemKey",
    "Job",
    "Json",
    "Lane",
    "Limits",
    "Meter",
    "Modality",
    "Part",
    "Piece",
    "Plan",
    "Remaining",
    "Reply",
    "RequestTrace",
    "Saving",
    "Scope",
    "Shape",
    "Stage",
    "Tally",
    "TraceContext",
    "Unit",
    "dollars",
    "nanos",
    "total",
]

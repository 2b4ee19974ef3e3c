"""P: the nouns that every stage speaks."""

from __future__ import annotations

from gateway.vocabulary.content import (
    FLOAT_BYTES,
    SCORE_BYTES,
    Answer,
    Item,
    ItemKey,
    Job,
    Json,
    Modality,
    Part,
    Shape,
    Unit,
)
from gateway.vocabulary.course import Cause, Charge, Facts, Fresh, Plan, Saving
from gateway.vocabulary.exchange import CacheScope, Call, Caller, Directives, Lane, Limits, Remaining, Reply, Stage

__all__ = [
    "FLOAT_BYTES",
    "SCORE_BYTES",
    "Answer",
    "CacheScope",
    "Call",
    "Caller",
    "Cause",
    "Charge",
    "Directives",
    "Facts",
    "Fresh",
    "Item",
    "ItemKey",
    "Job",
    "Json",
    "Lane",
    "Limits",
    "Modality",
    "Part",
    "Plan",
    "Remaining",
    "Reply",
    "Saving",
    "Shape",
    "Stage",
    "Unit",
]

"""P: a checked request → the parameters that change its answers, so that equal requests have equal parameters."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from gateway.catalogue.model import Family
from gateway.endpoints.schemas_embeddings import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalogue.model import Model
    from gateway.endpoints.schemas import Request
    from gateway.vocabulary import Json

Parameter: TypeAlias = tuple[str, str | int | bool]

_TASKED = frozenset({Family.EMBEDDINGS_V3, Family.EMBEDDINGS_V5})
"""Families whose embeddings have a task for classification; the others are asked as without a task."""

_OWN = (Family.OWN_EMBEDDINGS, Family.OWN_RERANKER)

_SENT_WHEN: tuple[tuple[str, bool | None], ...] = (
    ("input_type", None),
    ("late_chunking", True),
    ("max_doc_length", None),
    ("normalized", False),
    ("return_embeddings", True),
    ("return_multivector", True),
    ("return_tokenized_input", True),
    ("task", None),
    ("truncate", True),
    ("truncation", None),
)
"""Field and the one value that is sent (None: any that is not null); the other value is what everybody assumes."""


def parameters(request: Request) -> list[Parameter]:
    """Name and value of what must be sent upstream, sorted by name; null counts as absent, absent as the default."""
    return implied(type(request), vars(request))


def classification_parameters(model: Model, values: Mapping[str, Json] = MappingProxyType({})) -> tuple[Parameter, ...]:
    """Those of the embeddings that a model's classifications are made of.

    Without `values`, which a request gives, long inputs are read as far as the model can: trainings and trained
    classifiers have no field to say it.
    """
    family = model.embeddings or Family.OWN_EMBEDDINGS
    task = {"task": "classification"} if family in _TASKED else {}
    return tuple(implied(SCHEMAS[family], {**(values or {"truncate": True}), **task}))


def implied(schema: type[Request], values: Mapping[str, Json]) -> list[Parameter]:
    """The same for a request that gives these values and leaves out every other field."""
    sent: list[Parameter] = []
    for name, default, only in _plan(schema):
        value = values.get(name)
        if value is None:
            value = default
        if value is not None and (only is None or value is only):
            sent.append((name, value))
    return sent


@cache
def _plan(schema: type[Request]) -> tuple[tuple[str, Json, bool | None], ...]:
    """The rules that concern a schema, with the field's default."""
    own = schema.__name__ in _OWN
    return tuple(
        # For models of our own, leaving `truncation` out and false mean the same.
        (name, schema.model_fields[name].default, True if own and name == "truncation" else only)
        for name, only in _SENT_WHEN
        if name in schema.model_fields
    )

"""P: a checked request → the parameters that change its answers, so that equal requests have equal parameters."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from gateway.catalogue.model import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.endpoints.schemas import Request
    from gateway.vocabulary import Json

Parameter: TypeAlias = tuple[str, str | int | bool]

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

"""P: other dialects at the front door: what a route of theirs shares, in front of an endpoint of ours."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

from pydantic import ValidationError

from gateway.endpoints.body import MAX_ECHO, drop_unknown
from gateway.endpoints.items import MAX_ERRORS
from gateway.endpoints.schemas import Request
from gateway.endpoints.schemas_embeddings import SCHEMAS
from gateway.errors import Code, FieldError, GatewayError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.catalogue.model import Model
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.embeddings import Embeddings
    from gateway.vocabulary import Json

ErrorShape: TypeAlias = Literal["cohere", "tei"]
"""Whose clients must be able to read the failures of a route."""


R = TypeVar("R", bound=Request)


class Front:
    """One route of another dialect: translates a body, has an endpoint of ours read it, and shows the answers.

    Made for one request; whatever it needs from `validate` in `assemble` is in the job's presentation.
    """

    def __init__(self, request_id: str, embeddings: Embeddings) -> None:
        self.request_id = request_id
        self.embeddings = embeddings


@dataclass(frozen=True, slots=True)
class Shown:
    """The presentation of a dialect: our endpoint's own, and what the dialect shows beside it."""

    ours: Any
    documents: list[Json] | None = None
    texts: list[str] | None = None
    types: tuple[str, ...] | None = None


def read_front(schema: type[R], fields: dict[str, Json], snapshot: Snapshot) -> R:
    """The body, valid in its dialect; nulls are absent.

    Raises:
        GatewayError: INPUT_INVALID; paths are `body -> FIELD [-> INDEX]`.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    if snapshot.config.server.validation == "lenient":
        drop_unknown(given, schema)
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)[:MAX_ERRORS]
    raise invalid_request(tuple(refusal(entry["loc"], entry["msg"], entry["type"], entry["input"]) for entry in found))


def refusal(location: tuple[int | str, ...], message: str, kind: str = "value_error", value: Json = None) -> FieldError:
    """What is wrong with a field of the body as its client wrote it."""
    path = " -> ".join(str(step)[:MAX_ECHO] for step in ("body", *location))
    echo = value[:MAX_ECHO] if isinstance(value, str) else value if isinstance(value, int | float) else None
    return FieldError(path, message, kind, echo)


@contextmanager
def spoken(names: Mapping[str, str]) -> Iterator[None]:
    """Complaints of our endpoint about its fields, told under the names that the client used."""
    try:
        yield
    except GatewayError as error:
        if error.code is not Code.INPUT_INVALID:
            raise
        raise invalid_request(
            tuple(FieldError(_renamed(e.field, names), e.message, e.type, e.input) for e in error.errors)
        ) from None


def _renamed(path: str, names: Mapping[str, str]) -> str:
    return " -> ".join(names.get(step, step) for step in path.split(" -> "))


_TASKS = {
    "search_query": ("retrieval.query", "nl2code.query"),
    "search_document": ("retrieval.passage", "nl2code.passage"),
    "classification": ("classification",),
    "clustering": ("clustering", "separation"),
}
"""Cohere's word for what a text is for → a model family's task, the first one it has."""


def task_of(model: Model, purpose: str | None) -> str | None:
    """The task of a model that serves a purpose; None where it has no such task, and embeds all texts alike."""
    tasks = tasks_of(model)
    return next((task for task in _TASKS.get(purpose or "", ()) if task in tasks), None)


def tasks_of(model: Model) -> tuple[str, ...]:
    """What the field `task` may say for a model; empty where it has no such field."""
    if model.embeddings is None or (field := SCHEMAS[model.embeddings].model_fields.get("task")) is None:
        return ()
    words = (get_args(option) or (option,) for option in get_args(field.annotation) or ())
    return tuple(word for options in words for word in options if isinstance(word, str))

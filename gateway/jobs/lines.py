"""P: lines of a job: as the client wrote them, as they are kept in chunks, as they are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from gateway.endpoints.body import decode
from gateway.endpoints.embeddings import Embeddings
from gateway.errors import FieldError, GatewayError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Json

EMBEDDINGS = Embeddings()

LONGEST_ID = 512
"""Characters of a custom_id: it is repeated in the output."""

_WITHIN = frozenset({"custom_id", "body", "method", "url"})
_BODY = frozenset({"input", "model"})
_OK = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input: its number there from 1 on, its custom_id, if any, and its input or what is wrong."""

    number: int
    custom_id: str | None
    item: Json = None
    error: GatewayError | None = None


def keep(number: int, text: bytes) -> bytes:
    """A line as it is kept in a chunk's input."""
    try:
        return orjson.dumps([number, text.decode(), ""]) + b"\n"
    except UnicodeDecodeError:
        return without(number, "is not UTF-8")


def without(number: int, wrong: str) -> bytes:
    """The same for a line that is not kept itself, only what is wrong with it."""
    return orjson.dumps([number, "", wrong]) + b"\n"


def kept(content: bytes, model: str, options: Mapping[str, Json], snapshot: Snapshot) -> list[Line]:
    """The lines of a chunk, each checked as a call of its own would be."""

    def check(item: Json) -> None:
        EMBEDDINGS.validate(call_body(model, options, [item]), snapshot)

    rows = (orjson.loads(row) for row in content.splitlines())
    return [_read(number, text, wrong, model, check) for number, text, wrong in rows]


def call_body(model: str, options: Mapping[str, Json], items: Sequence[Json]) -> bytes:
    """The body of an embeddings call; what is null is left to the model."""
    given = {name: value for name, value in options.items() if value is not None}
    return orjson.dumps({"model": model, "input": list(items), **given})


def answered(line: Line, model: str, embedding: Json) -> bytes:
    """A line of the output."""
    data = [{"object": "embedding", "index": 0, "embedding": embedding}]
    reply = {"status_code": _OK, "body": {"model": model, "object": "list", "data": data}}
    return orjson.dumps({"custom_id": line.custom_id, "line": line.number, "response": reply}) + b"\n"


def refused(line: Line, error: GatewayError, request_id: str) -> bytes:
    """A line of the error file: which line, and what is wrong, as the API's errors say it."""
    told = {"detail": error.message, "code": error.code.value, "request_id": request_id}
    return orjson.dumps({"custom_id": line.custom_id, "line": line.number, "error": told}) + b"\n"


def _read(number: int, text: str, wrong: str, model: str, check: Callable[[Json], None]) -> Line:
    custom_id = None
    try:
        if wrong:
            raise _wrong("line", wrong, "line_invalid")
        fields = decode(text.encode())
        custom_id = _custom_id(fields)
        item = _item(fields, model)
        check(item)
    except GatewayError as error:
        return Line(number, custom_id, error=error)
    return Line(number, custom_id, item)


def _custom_id(fields: Mapping[str, Json]) -> str | None:
    value = fields.get("custom_id")
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_ID):
        raise _wrong("custom_id", f"must be a string of at most {LONGEST_ID} characters", "string_type")
    return value


def _item(fields: Mapping[str, Json], model: str) -> Json:
    _known(fields, _WITHIN, "line")
    body = fields.get("body")
    if not isinstance(body, dict):
        raise _wrong("body", "must be an object with an `input`", "dict_type")
    _known(body, _BODY, "body")
    if body.get("model", model) != model:
        raise _wrong("body -> model", "must be the job's model, or left out", "value_error")
    if "input" not in body:
        raise _wrong("body -> input", "Field required", "missing")
    if not isinstance(body["input"], str | dict):  # in a list, numbers would be taken for token ids
        raise _wrong("body -> input", "must be one input, a string or an object; a list is as many lines", "item_type")
    return body["input"]


def _known(fields: Iterable[str], names: frozenset[str], where: str) -> None:
    unknown = sorted(set(fields) - names)
    if unknown:
        raise _wrong(f"{where} -> {unknown[0][:100]}", "is not a field of a line", "extra_forbidden")


def _wrong(field: str, message: str, kind: str) -> GatewayError:
    return invalid_request((FieldError(field, message, kind),))

"""P: a body's bytes → the request schema of its model, checked; every way to fail is a GatewayError."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import orjson
from pydantic import ValidationError

from gateway.endpoints.carving import read_json
from gateway.endpoints.items import MAX_ERRORS
from gateway.errors import FieldError, invalid_request, model_not_found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalogue.model import Family, Model
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.schemas import Request
    from gateway.vocabulary import Json

MAX_ECHO = 200
"""Characters of a wrong value, or of a field's name, that a reply repeats."""

_SPELLINGS = ("embedding_type", "encoding_format", "encoding_type")
"""One field, three names: the contract's, OpenAI's, llama-index's; the first that is not null counts."""

R = TypeVar("R", bound="Request")


def decode(body: bytes) -> dict[str, Json]:
    """The JSON object in a body.

    Raises:
        GatewayError: INPUT_INVALID; the body is not JSON (RFC 8259) or not an object.
    """
    try:
        fields = read_json(body)
    except orjson.JSONDecodeError as error:
        raise invalid_request((FieldError("body", f"JSON decode error: {error.msg}", "json_invalid"),)) from None
    if not isinstance(fields, dict):
        echo = _echo(fields)
        raise invalid_request((FieldError("body", "Input should be a valid dictionary", "dict_type", echo),))
    return fields


def choose(fields: dict[str, Json], endpoint: str, snapshot: Snapshot) -> tuple[Model, Family]:
    """The model that a request names, and its schema at this endpoint; `model` becomes the catalogue's name.

    Raises:
        GatewayError: INPUT_INVALID (no name) or INPUT_MODEL_NOT_FOUND (not served, or not at this endpoint).
    """
    if "model" not in fields:
        raise invalid_request((FieldError("body -> model", "Field required", "missing"),))
    name = fields["model"]
    if not isinstance(name, str):
        error = FieldError("body -> model", "Input should be a valid string", "string_type", _echo(name))
        raise invalid_request((error,))
    served = snapshot.served.get(name)
    family = served.model.family(endpoint) if served else None
    if served is None or family is None:
        raise model_not_found(name[:MAX_ECHO])
    fields["model"] = served.model.name
    return served.model, family


def unify_spellings(fields: dict[str, Json]) -> str:
    """Put the embedding type under the contract's name; returns the name that the client used, for complaints."""
    used = next((name for name in _SPELLINGS if fields.get(name) is not None), None)
    value = None if used is None else fields[used]
    for name in _SPELLINGS:
        fields.pop(name, None)
    if used is None:
        return _SPELLINGS[0]
    fields[_SPELLINGS[0]] = value
    return used


def drop_unknown(fields: dict[str, Json], schema: type[Request]) -> tuple[str, ...]:
    """Lenient validation: remove the top-level fields that the model's schema lacks; one warning for each."""
    unknown = [name for name in fields if name not in schema.model_fields]
    for name in unknown:
        del fields[name]
    return tuple(f"dropped unknown field '{name[:MAX_ECHO]}'" for name in unknown[:MAX_ERRORS])


def refuse_beside_classifier(fields: Mapping[str, Json], reasons: Mapping[str, str]) -> None:
    """Refuse what contradicts a `classifier_id`: a `model`, which it has already, and each field with a reason here.

    Raises:
        GatewayError: INPUT_INVALID.
    """
    reasons = {"model": 'only either "model" or "classifier_id" should be provided', **reasons}
    wrong = [FieldError(f"body -> {name}", why, "value_error") for name, why in reasons.items() if name in fields]
    if wrong:
        raise invalid_request(tuple(wrong))


def check(schema: type[R], fields: dict[str, Json], model: Model, names: Mapping[str, str] | None = None) -> R:
    """The request, valid.

    `names` maps fields to what the client called them.

    Raises:
        GatewayError: INPUT_INVALID; each field error's path is `body -> MODEL -> FIELD [-> INDEX]`.
    """
    try:
        return schema.model_validate(fields, context=model)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)[:MAX_ERRORS]
    raise invalid_request(
        tuple(
            FieldError(_path(model, entry["loc"], names or {}), entry["msg"], entry["type"], _echo(entry["input"]))
            for entry in found
        )
    )


def conflict(model: Model, field: str, message: str, value: Json = True) -> FieldError:  # noqa: FBT002 - any JSON value
    """A field, true or `value`, that is fine alone but not beside another one."""
    return FieldError(_path(model, (field,), {}), message, "value_error", _echo(value))


def _path(model: Model, location: tuple[int | str, ...], names: Mapping[str, str]) -> str:
    first, *rest = location or ("",)
    steps = ("body", model.name, names.get(str(first), first), *rest)
    return " -> ".join(str(step)[:MAX_ECHO] for step in steps if step != "")


def _echo(value: Json) -> Json:
    """A wrong value as the reply shows it: short, and nothing nested."""
    if isinstance(value, str):
        return value[:MAX_ECHO]
    return None if isinstance(value, list | dict) else value

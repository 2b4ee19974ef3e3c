"""P: the parts that every operation of the OpenAPI document is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.vocabulary import Json

FAILURES = {
    "400": ("BadRequest", "The request makes no sense: unknown model, wrong labels."),
    "401": ("Unauthorized", "No API key, or not a valid one."),
    "403": ("Forbidden", "The key's plan or balance does not allow it."),
    "404": ("NotFound", "There is no such thing, or it is somebody else's."),
    "409": ("Conflict", "Somebody else is changing it now."),
    "429": ("TooManyRequests", "A limit is reached; Retry-After says when to try again."),
    "500": ("InternalServerError", "A defect of the gateway."),
    "503": ("ServiceUnavailable", "A part that is needed does not answer."),
    "504": ("GatewayTimeout", "It took too long."),
}


def responses(schema: Json, *, checked: bool = False) -> dict[str, Json]:
    """The answers of an operation: that of success, every failure's and, where a body is `checked`, a 422."""
    answers: dict[str, Json] = {"200": {"description": "Success", "content": as_json(schema)}}
    if checked:
        content = as_json(ref("HTTPValidationError"))
        answers["422"] = {"description": "The request breaks its schema", "content": content}
    answers.update({status: {"$ref": f"#/components/responses/{name}"} for status, (name, _) in FAILURES.items()})
    return dict(sorted(answers.items()))


def as_json(schema: Json) -> dict[str, Json]:
    """A body of JSON that follows a schema."""
    return {"application/json": {"schema": schema}}


def ref(name: str) -> dict[str, str]:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}

"""P: the segmenter's wire contract: a body or a query string → what is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.endpoints.body import MAX_ECHO, decode
from gateway.endpoints.items import MAX_ERRORS
from gateway.errors import FieldError, invalid_request
from gateway.segmenter import DEFAULT_CHUNK, LONGEST_TEXT, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from gateway.vocabulary import Json

NAME = "segment"

PATHS = ("/v1/segment", "/segment")

QUERY = ("content", "tokenizer")
"""What a GET may say."""

Tokens = Annotated[int, Field(ge=1, le=LONGEST_TEXT)]


def _as_taken(schema: dict[str, Any]) -> None:
    """Say in the API's description what else is taken: other spellings of numbers and truths, and null."""
    for name, field in schema["properties"].items():
        if name in schema["required"]:
            continue
        kept = {key: field.pop(key) for key in ("title", "default") if key in field}
        forms = field.get("anyOf", [field])
        kinds = {form.get("type") for form in forms}
        others = {"null"} - kinds
        if kinds & {"integer", "boolean"}:
            others |= {"string", "boolean", "number"} - kinds - ({"number"} if "integer" in kinds else set())
        schema["properties"][name] = {"anyOf": [*forms, *({"type": kind} for kind in sorted(others))], **kept}


class SegmentRequest(BaseModel):
    """One text. Numbers and truths may come as strings, as some clients send them; null is the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_as_taken)

    content: str = Field(max_length=LONGEST_TEXT)
    tokenizer: Literal["cl100k_base", "o200k_base", "p50k_base", "r50k_base", "p50k_edit", "gpt2"] = "cl100k_base"
    return_tokens: bool = False
    return_chunks: bool = False
    max_chunk_length: Tokens = DEFAULT_CHUNK
    head: Tokens | None = None
    tail: Tokens | None = None

    @model_validator(mode="after")
    def _one_end(self) -> SegmentRequest:
        if self.head is not None and self.tail is not None:
            raise ValueError("head and tail exclude each other")
        return self


class SegmentUsage(BaseModel):
    """What a call costs."""

    tokens: Literal[0] = 0


class SegmentResponse(BaseModel):
    """What is answered, for the API's description; what was not asked for is left out."""

    num_tokens: int
    tokenizer: str
    usage: SegmentUsage
    num_chunks: int | None = None
    chunk_positions: list[tuple[int, int]] | None = None
    tokens: list[list[tuple[str, list[int]]]] | None = None
    chunks: list[str] | None = None
    special_tokens: list[tuple[str, list[int]]] | None = None


def read_body(body: bytes, *, lenient: bool) -> Wanted:
    """What a POST wants; `lenient` drops fields that do not exist.

    Raises:
        GatewayError: INPUT_INVALID.
    """
    fields = {name: value for name, value in decode(body).items() if value is not None}
    if lenient:
        fields = {name: value for name, value in fields.items() if name in SegmentRequest.model_fields}
    return _checked(fields, "body")


def read_query(query: Mapping[str, str]) -> Wanted:
    """What a GET wants, which counts tokens only.

    Raises:
        GatewayError: INPUT_INVALID.
    """
    wrong = [name for name in query if name not in QUERY][:MAX_ERRORS]
    if wrong:
        text = "Not for GET, which counts tokens; use POST"
        raise invalid_request(
            tuple(FieldError(f"query -> {name[:MAX_ECHO]}", text, "extra_forbidden") for name in wrong)
        )
    return _checked(dict(query), "query")


def _checked(fields: dict[str, Json], where: str) -> Wanted:
    try:
        request = SegmentRequest.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)[:MAX_ERRORS]
    else:
        return Wanted(**dict(request))
    raise invalid_request(tuple(_field_error(entry, where) for entry in found))


def _field_error(entry: ErrorDetails, where: str) -> FieldError:
    path = " -> ".join(str(step)[:MAX_ECHO] for step in (where, *entry["loc"]))
    value = entry["input"]
    echo = value[:MAX_ECHO] if isinstance(value, str) else value if isinstance(value, bool | int | float) else None
    return FieldError(path, entry["msg"], entry["type"], echo)

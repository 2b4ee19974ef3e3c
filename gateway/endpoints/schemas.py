"""P: what the request schemas share: content objects, field types, strictness, the JSON Schema's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetPydanticSchema, StrictBool
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError, ValidationError, core_schema

from gateway.endpoints.items import read_documents, read_input, read_query
from gateway.vocabulary import Item, Json

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import ValidationInfo


def contract_form(schema: dict[str, Json]) -> None:
    """Bring a generated JSON Schema into the contract's form: no additionalProperties, no default of null."""
    schema.pop("additionalProperties", None)
    for field in schema.get("properties", {}).values():
        if field.get("default", ...) is None:
            del field["default"]


class Component(BaseModel):
    """A schema under `components` in the OpenAPI document; its class name is the component's name."""

    model_config = ConfigDict(json_schema_extra=contract_form)


class TextDoc(Component):
    """A text."""

    text: str


class ImageDoc(Component):
    """An image: URL, base64 or data URI."""

    image: str


class PDFDoc(Component):
    """A PDF: URL, base64 or data URI."""

    pdf: str


class VideoDoc(Component):
    """A video: URL, base64 or data URI."""

    video: str


class AudioDoc(Component):
    """A sound: URL, base64 or data URI."""

    audio: str


class MergedContentGroup(Component):
    """Pieces of content in an order that matters, with one vector for all of them."""

    content: Annotated[list[TextDoc | ImageDoc | VideoDoc | AudioDoc], Field(min_length=1)]


class Request(Component):
    """A request body: unknown fields are refused, and values are not converted (`"5"` is no integer)."""

    model_config = ConfigDict(extra="forbid")


EmbeddingType: TypeAlias = Literal["float", "base64", "binary", "ubinary"]
EMBEDDING_TYPES = ("float", "base64", "binary", "ubinary")


def read_types(value: Json, _info: ValidationInfo) -> str | tuple[str, ...] | None:
    """`embedding_type`: one word, or a non-empty list of words as a tuple without repetitions.

    Raises:
        ValidationError: one line for each wrong word.
    """
    if value is None or (isinstance(value, str) and value in EMBEDDING_TYPES):
        return value
    if not isinstance(value, list):
        raise _no_type()
    if not value:
        raise PydanticKnownError("too_short", {"field_type": "List", "min_length": 1, "actual_length": 0})
    wrong = [
        InitErrorDetails(type=_no_type(), loc=(position,), input=word)
        for position, word in enumerate(value)
        if not isinstance(word, str) or word not in EMBEDDING_TYPES
    ]
    if wrong:
        raise ValidationError.from_exception_data("embedding_type", wrong)
    return tuple(dict.fromkeys(value))


_EXACT = 2**53


def _no_type() -> PydanticCustomError:
    expected = ", ".join(f"'{word}'" for word in EMBEDDING_TYPES)
    return PydanticCustomError(
        "literal_error", "Input should be {expected}, or a list of these", {"expected": expected}
    )


def _whole(value: Json) -> Json:
    """JSON Schema counts 64.0 as an integer (2020-12, Core §4.2.1); beyond 2^53 a float is not exact."""
    exact = type(value) is float and value.is_integer() and abs(value) <= _EXACT
    return int(value) if exact else value


def reader(read: Callable[[Json, ValidationInfo], Json], wire: Any) -> GetPydanticSchema:  # noqa: ANN401 - any type form
    """Check and convert with `read` alone; `wire` is what the JSON Schema says."""
    return GetPydanticSchema(
        lambda _source, handler: core_schema.with_info_plain_validator_function(
            read, json_schema_input_schema=handler.generate_schema(wire)
        )
    )


Encoding: TypeAlias = Annotated[
    str | tuple[str, ...] | None, reader(read_types, EmbeddingType | list[EmbeddingType] | None)
]
Flag: TypeAlias = StrictBool
WHOLE = BeforeValidator(_whole)
"""To be put after the bounds of a strict `int`."""

Items: TypeAlias = tuple[Item, ...]
TextInput: TypeAlias = Annotated[Items, reader(read_input, str | TextDoc | list[str | TextDoc])]
PageInput: TypeAlias = Annotated[
    Items, reader(read_input, str | TextDoc | ImageDoc | PDFDoc | list[str | TextDoc | ImageDoc])
]
AnyInput: TypeAlias = Annotated[
    Items,
    reader(
        read_input,
        str
        | TextDoc
        | ImageDoc
        | VideoDoc
        | AudioDoc
        | PDFDoc
        | list[str | TextDoc | ImageDoc | VideoDoc | AudioDoc | MergedContentGroup],
    ),
]
TextDocuments: TypeAlias = Annotated[Items, reader(read_documents, Annotated[list[str | TextDoc], Field(min_length=1)])]
ImageDocuments: TypeAlias = Annotated[
    Items, reader(read_documents, Annotated[list[str | TextDoc | ImageDoc], Field(min_length=1)])
]
Query: TypeAlias = Annotated[str, reader(read_query, str)]

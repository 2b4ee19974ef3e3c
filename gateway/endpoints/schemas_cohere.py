"""P: bodies in Cohere's dialect, and what they say in ours."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from gateway.endpoints.front import refusal
from gateway.endpoints.schemas import WHOLE, Flag, Request
from gateway.errors import invalid_request
from gateway.vocabulary import Json  # noqa: TC001 - pydantic evaluates annotations

Whole: TypeAlias = Annotated[int, Field(strict=True), WHOLE]
_Type: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]


class CohereText(Request):
    """A part that is a text."""

    type: Literal["text"]
    text: str


class CohereImageUrl(Request):
    """Where an image is: a data URI or a URL."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class CohereImage(Request):
    """A part that is an image."""

    type: Literal["image_url"]
    image_url: CohereImageUrl


class CohereInput(Request):
    """Parts with one vector for all of them."""

    content: Annotated[list[CohereText | CohereImage], Field(min_length=1)]


class CohereEmbedRequest(Request):
    """POST /v2/embed. One of `texts`, `images` and `inputs` says what is embedded."""

    model: str
    input_type: Literal["search_document", "search_query", "classification", "clustering", "image"] | None = None
    texts: list[str] | None = None
    images: list[str] | None = None
    inputs: list[CohereInput] | None = None
    embedding_types: Annotated[list[_Type], Field(min_length=1)] | None = None
    output_dimension: Whole | None = None
    truncate: Literal["NONE", "END"] | None = None


class CohereEmbedV1Request(CohereEmbedRequest):
    """POST /v1/embed."""


class CohereRerankRequest(Request):
    """POST /v2/rerank. Objects are ranked by their `rank_fields`, `text` by default."""

    model: str
    query: str
    documents: Annotated[list[str | dict[str, Json]], Field(min_length=1)]
    top_n: Whole | None = None
    return_documents: Flag | None = False
    rank_fields: Annotated[list[str], Field(min_length=1)] | None = None
    max_tokens_per_doc: Whole | None = None


class CohereRerankV1Request(CohereRerankRequest):
    """POST /v1/rerank."""


def contents_of(asked: CohereEmbedRequest) -> tuple[str, list[Json]]:
    """The field that says what is embedded, and that in the contract's form.

    Raises:
        GatewayError: INPUT_INVALID; there is none of them, or several.
    """
    given = {
        "texts": asked.texts,
        "images": None if asked.images is None else [{"image": image} for image in asked.images],
        "inputs": None if asked.inputs is None else [_content(entry) for entry in asked.inputs],
    }
    named = [(name, contents) for name, contents in given.items() if contents is not None]
    if len(named) != 1:
        raise invalid_request((refusal((), "One of texts, images and inputs is needed, and one only"),))
    return named[0]


def _content(entry: CohereInput) -> Json:
    parts = [
        {"text": part.text} if isinstance(part, CohereText) else {"image": part.image_url.url} for part in entry.content
    ]
    return parts[0] if len(parts) == 1 else {"content": parts}


def text_of(document: Json, rank_fields: list[str] | None) -> str:
    """What of a document is ranked: one field's text, or several as lines `name: text`.

    Raises:
        GatewayError: INPUT_INVALID; an object has none of them.
    """
    if isinstance(document, str):
        return document
    named = rank_fields or ["text"]
    found = {name: _word(document[name]) for name in named if document.get(name) is not None}
    if not found:
        fields = ", ".join(named)[:100]
        raise invalid_request((refusal(("documents",), f"A document has none of the fields to rank by: {fields}"),))
    return next(iter(found.values())) if len(named) == 1 else "\n".join(f"{k}: {v}" for k, v in found.items())


def _word(value: Json) -> str:
    return value if isinstance(value, str) else str(value)

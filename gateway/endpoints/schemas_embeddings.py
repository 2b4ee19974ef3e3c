"""P: the request schemas of /v1/embeddings, named as the contract names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, cast

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticKnownError

from gateway.catalogue.model import Family
from gateway.endpoints.schemas import WHOLE, AnyInput, Encoding, Flag, PageInput, Request, TextInput

if TYPE_CHECKING:
    from gateway.catalogue.model import Model

CodeTask: TypeAlias = Literal[
    "nl2code.query",
    "nl2code.passage",
    "qa.query",
    "qa.passage",
    "code2code.query",
    "code2code.passage",
    "code2nl.query",
    "code2nl.passage",
    "code2completion.query",
    "code2completion.passage",
]
Upto896: TypeAlias = Annotated[int, Field(strict=True, gt=0, le=896), WHOLE]
Upto1024: TypeAlias = Annotated[int, Field(strict=True, gt=0, le=1_024), WHOLE]
Upto1536: TypeAlias = Annotated[int, Field(strict=True, gt=0, le=1_536), WHOLE]
Upto2048: TypeAlias = Annotated[int, Field(strict=True, gt=0, le=2_048), WHOLE]


class EmbeddingsRequest(Request):
    """The one field that every embedding request may carry beside `model` and `input`."""

    embedding_type: Encoding = None


class EmbeddingsV2Request(EmbeddingsRequest):
    """jina-embeddings-v2-*."""

    model: Literal[
        "jina-embeddings-v2-base-en",
        "jina-embeddings-v2-base-zh",
        "jina-embeddings-v2-base-de",
        "jina-embeddings-v2-base-es",
        "jina-embeddings-v2-base-code",
    ]
    input: TextInput
    normalized: Flag | None = True
    truncate: Flag | None = False


class EmbeddingsV3Request(EmbeddingsRequest):
    """jina-embeddings-v3."""

    model: Literal["jina-embeddings-v3"]
    input: TextInput
    task: Literal["retrieval.query", "retrieval.passage", "text-matching", "classification", "separation"] | None = None
    dimensions: Upto1024 | None = None
    late_chunking: Flag | None = None
    normalized: Flag | None = True
    truncate: Flag | None = False


class EmbeddingsV4Request(EmbeddingsRequest):
    """jina-embeddings-v4."""

    model: Literal["jina-embeddings-v4"]
    input: PageInput
    task: Literal["text-matching", "retrieval.query", "retrieval.passage", "code.query", "code.passage"] | None = (
        "text-matching"
    )
    dimensions: Upto2048 | None = None
    late_chunking: Flag | None = None
    return_multivector: Flag | None = False
    return_tokenized_input: Flag | None = False
    truncate: Flag | None = False


class EmbeddingsV5Request(EmbeddingsRequest):
    """jina-embeddings-v5-*; the text variants take text only."""

    model: Literal[
        "jina-embeddings-v5-text-nano",
        "jina-embeddings-v5-text-small",
        "jina-embeddings-v5-omni-small",
        "jina-embeddings-v5-omni-nano",
    ]
    input: AnyInput
    task: Literal["retrieval.query", "retrieval.passage", "text-matching", "clustering", "classification"] | None = (
        "text-matching"
    )
    dimensions: Upto1024 | None = None
    normalized: Flag | None = True
    truncate: Flag | None = False


class CodeEmbeddings500MRequest(EmbeddingsRequest):
    """jina-code-embeddings-0.5b."""

    model: Literal["jina-code-embeddings-0.5b"]
    input: TextInput
    task: CodeTask | None = "nl2code.query"
    dimensions: Upto896 | None = None
    truncate: Flag | None = False


class CodeEmbeddings1500MRequest(EmbeddingsRequest):
    """jina-code-embeddings-1.5b."""

    model: Literal["jina-code-embeddings-1.5b"]
    input: TextInput
    task: CodeTask | None = "nl2code.query"
    dimensions: Upto1536 | None = None
    truncate: Flag | None = False


class ClipV1Request(EmbeddingsRequest):
    """jina-clip-v1."""

    model: Literal["jina-clip-v1"]
    input: PageInput
    normalized: Flag | None = True
    truncate: Flag | None = False


class ClipV2Request(EmbeddingsRequest):
    """jina-clip-v2."""

    model: Literal["jina-clip-v2"]
    input: PageInput
    task: Literal["retrieval.query"] | None = None
    dimensions: Upto1024 | None = None
    normalized: Flag | None = True
    truncate: Flag | None = False


class ColbertV1Request(EmbeddingsRequest):
    """jina-colbert-v1-en."""

    model: Literal["jina-colbert-v1-en"]
    input: TextInput
    input_type: Literal["query", "document"] | None = "document"


class ColbertV2Request(EmbeddingsRequest):
    """jina-colbert-v2."""

    model: Literal["jina-colbert-v2"]
    input: TextInput
    input_type: Literal["query", "document"] | None = "document"
    dimensions: Literal[64, 96, 128] | None = None


class ELSERV2Request(EmbeddingsRequest):
    """elser-v2, sparse."""

    model: Literal["elser-v2"]
    input: TextInput
    task: Literal["retrieval.query", "retrieval.passage"] | None = None


def _fits(value: int, info: ValidationInfo) -> int:
    """Own models share a schema, so the upper bound comes from the model (the validation context)."""
    model = cast("Model", info.context)
    bound = model.max_dimensions or model.dimensions
    if bound and value > bound:
        raise PydanticKnownError("less_than_equal", {"le": bound})
    return value


class OwnEmbeddingsRequest(EmbeddingsRequest):
    """An embedding model of this gateway's own; what it reads, and whether it has multi-vectors, is configured."""

    model: str
    input: AnyInput
    dimensions: Annotated[int, Field(strict=True, ge=1), WHOLE, AfterValidator(_fits)] | None = None
    normalized: Flag | None = True
    return_multivector: Flag | None = False
    truncate: Flag | None = False


SCHEMAS: dict[Family, type[EmbeddingsRequest]] = {
    Family(schema.__name__): schema
    for schema in (
        EmbeddingsV2Request,
        EmbeddingsV3Request,
        EmbeddingsV5Request,
        EmbeddingsV4Request,
        CodeEmbeddings500MRequest,
        CodeEmbeddings1500MRequest,
        ClipV1Request,
        ClipV2Request,
        ColbertV1Request,
        ColbertV2Request,
        ELSERV2Request,
        OwnEmbeddingsRequest,
    )
}
"""In the contract's order; ours last."""

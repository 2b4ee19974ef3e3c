"""P: the reply schemas, named as the contract names them; they document, `assemble` writes bytes without them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from gateway.endpoints.schemas import Component, ImageDoc, TextDoc
from gateway.vocabulary import Json  # noqa: TC001 - pydantic evaluates annotations


class BaseUsage(Component):
    """Tokens of a call."""

    total_tokens: int


class EmbeddingUsage(Component):
    """Tokens of an embeddings call; `prompt_tokens` equals the total, the others are parts of it."""

    total_tokens: int
    prompt_tokens: int
    image_tokens: int | None = None
    audio_tokens: int | None = None
    video_tokens: int | None = None


class ELSERV2EmbeddingUsage(Component):
    """Tokens of a sparse embeddings call."""

    total_tokens: int
    input_tokens: int
    output_tokens: int


class SingleEmbeddingData(Component):
    """One vector for one input."""

    object: str = "embedding"
    index: int
    embedding: str | list[float] | dict[str, float]


class MultiEmbeddingData(Component):
    """One vector for each token of an input."""

    object: str = "embeddings"
    index: int
    embeddings: list[str] | list[list[float]]
    tokenized_input: list[str] | None = None


class EmbeddingResponse(Component):
    """The vectors in the order of the inputs."""

    model: str
    object: str = "list"
    usage: EmbeddingUsage | ELSERV2EmbeddingUsage | BaseUsage
    data: list[SingleEmbeddingData] | list[MultiEmbeddingData] | list[dict[str, float]]


class RerankingResult(Component):
    """One document's place."""

    index: int
    relevance_score: float
    document: str | TextDoc | ImageDoc | None = None
    embedding: list[float] | None = None


class RerankingResponse(Component):
    """The documents, best first."""

    model: str
    object: str = "list"
    usage: BaseUsage
    results: list[RerankingResult]


class ClassificationPredictionLabel(Component):
    """One label and its share."""

    label: str
    score: float


class ClassificationPrediction(Component):
    """One input's labels; with groups of labels each part is an object by group."""

    object: str = "classification"
    index: int
    prediction: str | dict[str, str]
    score: float | dict[str, float]
    predictions: list[ClassificationPredictionLabel] | dict[str, list[ClassificationPredictionLabel]]


class ClassificationResponse(Component):
    """The classifications in the order of the inputs."""

    data: list[ClassificationPrediction]
    usage: BaseUsage


class ModelPricing(Component):
    """US dollars as decimal strings."""

    prompt: str
    completion: str
    image: str
    request: str
    input_cache_read: str
    input_cache_write: str


class ModelDatacenter(Component):
    """Where a model runs."""

    country_code: str


class ModelInfo(Component):
    """One model that is served here."""

    id: str
    hugging_face_id: str
    name: str
    created: int
    input_modalities: list[str]
    output_modalities: list[str]
    quantization: str
    context_length: int
    max_output_length: int
    pricing: ModelPricing
    supported_sampling_parameters: list[str]
    supported_features: list[str]
    description: str
    datacenters: list[ModelDatacenter]


class ModelListResponse(Component):
    """All models that are served here."""

    data: list[ModelInfo]


class ErrorResponse(Component):
    """Every failure but a 422."""

    detail: str
    code: str = Field(default_factory=str)
    request_id: str = Field(default_factory=str)


_FIELD_ERRORS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "field": {"type": "string"},
            "message": {"type": "string"},
            "type": {"type": "string"},
            "input": {},
        },
    },
}


class HTTPValidationError(Component):
    """A body that breaks its schema."""

    detail: str = Field(default_factory=str)
    errors: Annotated[list[dict[str, Json]], WithJsonSchema(_FIELD_ERRORS)] = Field(default_factory=list)


REPLIES: tuple[type[Component], ...] = (
    EmbeddingResponse,
    RerankingResponse,
    ClassificationResponse,
    ModelInfo,
    ModelListResponse,
    ErrorResponse,
    HTTPValidationError,
)
"""Those that operations refer to; the others come along as their parts."""

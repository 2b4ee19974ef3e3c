"""P: the routes of other dialects in the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from gateway.catalogue.model import Family
from gateway.endpoints.openapi_parts import as_json, ref, responses
from gateway.endpoints.schemas_cohere import CohereEmbedRequest, CohereEmbedV1Request, CohereRerankRequest
from gateway.endpoints.schemas_tei import TeiEmbedRequest, TeiRerankRequest
from gateway.vocabulary import Json  # noqa: TC001 - pydantic evaluates annotations

if TYPE_CHECKING:
    from collections.abc import Iterable


class CohereMeta(BaseModel):
    """What a call cost; `input_tokens`, and `images` where there are some."""

    api_version: dict[str, str]
    billed_units: dict[str, int]


class CohereEmbedResponse(BaseModel):
    """Vectors by type; at /v1/embed a bare list where no types are named."""

    id: str
    response_type: Literal["embeddings_by_type", "embeddings_floats"]
    meta: CohereMeta
    texts: list[str] | None = None
    embeddings: dict[str, list[list[float] | str]] | list[list[float]]


class CoherePlace(BaseModel):
    """A document's place; the document itself where `return_documents` is true."""

    index: int
    relevance_score: float
    document: dict[str, Json] | None = None


class CohereRerankResponse(BaseModel):
    """Places, best first."""

    id: str
    results: list[CoherePlace]
    meta: CohereMeta


class TeiPlace(BaseModel):
    """A text's place; the text itself where `return_text` is true."""

    index: int
    score: float
    text: str | None = None


class TeiInfo(BaseModel):
    """The model that answers here."""

    model_id: str
    model_sha: str | None
    model_dtype: str
    model_type: dict[str, dict[str, str]]
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None


FRONT_SCHEMAS: tuple[type[BaseModel], ...] = (
    CohereEmbedRequest,
    CohereEmbedV1Request,
    CohereEmbedResponse,
    CohereRerankRequest,
    CohereRerankResponse,
    TeiEmbedRequest,
    TeiRerankRequest,
    TeiPlace,
    TeiInfo,
)

_MULTI = (Family.EMBEDDINGS_V4, Family.COLBERT_V1, Family.COLBERT_V2)
_VECTORS = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
_COHERE, _TEI = "Cohere's dialect", "text-embeddings-inference's dialect"


def front_paths() -> dict[str, Json]:
    """Their operations; /v1/rerank is the contract's, and answers Cohere's own clients as /v2/rerank does."""
    places = {"type": "array", "items": ref(TeiPlace.__name__)}
    info = {"operationId": "tei_info", "summary": "The model that answers here", "tags": [_TEI]}
    return {
        "/v1/embed": _post("cohere_embed_v1", _COHERE, (CohereEmbedV1Request.__name__,), ref("CohereEmbedResponse")),
        "/v2/embed": _post("cohere_embed", _COHERE, (CohereEmbedRequest.__name__,), ref("CohereEmbedResponse")),
        "/v2/rerank": _post("cohere_rerank", _COHERE, (CohereRerankRequest.__name__,), ref("CohereRerankResponse")),
        "/embed": _post("tei_embed", _TEI, (TeiEmbedRequest.__name__,), _VECTORS),
        "/rerank": _post("tei_rerank", _TEI, (TeiRerankRequest.__name__,), places),
        "/v1/multi-vector": _post("multi_vector", "Older API", _MULTI, ref("EmbeddingResponse")),
        "/info": {"get": {**info, "responses": responses(ref(TeiInfo.__name__), checked=True)}},
    }


def _post(name: str, tag: str, bodies: Iterable[str], reply: Json) -> dict[str, Json]:
    links = [ref(body) for body in bodies]
    operation = {
        "operationId": name,
        "summary": name.replace("_", " ").capitalize(),
        "tags": [tag],
        "security": [{"HTTPBearer": []}],
        "requestBody": {"required": True, "content": as_json(links[0] if len(links) == 1 else {"anyOf": links})},
        "responses": responses(reply, checked=True),
    }
    return {"post": operation}

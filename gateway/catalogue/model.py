"""P: what a model is: schema family, modalities, dimensions, how its answers may be taken apart, vector space."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.vocabulary import Modality, Shape


class Family(StrEnum):
    """Request schema of a model; the values are the contract's component names, the OWN_* ones are ours."""

    EMBEDDINGS_V2 = "EmbeddingsV2Request"
    EMBEDDINGS_V3 = "EmbeddingsV3Request"
    EMBEDDINGS_V4 = "EmbeddingsV4Request"
    EMBEDDINGS_V5 = "EmbeddingsV5Request"
    CODE_500M = "CodeEmbeddings500MRequest"
    CODE_1500M = "CodeEmbeddings1500MRequest"
    CLIP_V1 = "ClipV1Request"
    CLIP_V2 = "ClipV2Request"
    COLBERT_V1 = "ColbertV1Request"
    COLBERT_V2 = "ColbertV2Request"
    ELSER_V2 = "ELSERV2Request"
    TEXT_RERANKER = "TextRerankerRequest"
    RERANKER_M0 = "RerankerM0Request"
    RERANKER_V3 = "RerankerV3Request"
    V2_ZERO_SHOT = "EmbeddingsV2ZeroShotClassificationRequest"
    V3_ZERO_SHOT = "EmbeddingsV3ZeroShotClassificationRequest"
    V4_ZERO_SHOT = "EmbeddingsV4ZeroShotClassificationRequest"
    V5_ZERO_SHOT = "EmbeddingsV5ZeroShotClassificationRequest"
    CLIP_ZERO_SHOT = "ClipZeroShotClassificationRequest"
    CODE_ZERO_SHOT = "CodeEmbeddingsZeroShotClassificationRequest"
    OWN_EMBEDDINGS = "OwnEmbeddingsRequest"
    OWN_RERANKER = "OwnRerankerRequest"
    OWN_ZERO_SHOT = "OwnZeroShotClassificationRequest"


class Tokenizer(StrEnum):
    """Vocabularies that can be had offline; the values of the public ones are their usual names."""

    CL100K = "cl100k_base"
    O200K = "o200k_base"
    QWEN35 = "qwen3.5"
    MINILM = "all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Tiles:
    """How a model's images are billed: `tokens` for each square of `side` pixels, squares in part counting whole."""

    side: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the catalogue.

    `dimensions` is the native length of a vector (0 for pure rerankers and sparse models); `max_dimensions` is the
    largest value the contract accepts in a request (None: the field does not exist or is not a range).
    `matryoshka`: a shorter prefix of a vector, renormalised, is what the model itself answers for fewer dimensions.
    `multivector`: one vector a token may be asked for instead of one an input.
    `listwise`: a document's score depends on the other documents.
    `revision` names the vector space: answers of two backends may be mixed only when it is equal.
    `tokenizer`: the model's own vocabulary, where it can be had offline; `token_ids`: that of ids that
    clients send; `tiles`: its rule for images, where published.
    Prices are US dollars a token, as decimal strings; "0" where none is published.
    """

    name: str
    owner: str
    title: str
    description: str
    created: int
    revision: str
    context_length: int
    embeddings: Family | None = None
    rerank: Family | None = None
    classify: Family | None = None
    chat: bool = False
    shape: Shape = Shape.DENSE
    dimensions: int = 0
    max_dimensions: int | None = None
    matryoshka: bool = False
    multivector: bool = False
    listwise: bool = False
    modalities: frozenset[Modality] = field(default_factory=lambda: frozenset({Modality.TEXT}))
    price: str = "0"
    tokenizer: Tokenizer | None = None
    token_ids: Tokenizer = Tokenizer.CL100K
    tiles: Tiles | None = None

    @property
    def qualified_name(self) -> str:
        """`owner/name`, the form `GET /v1/models` lists."""
        return f"{self.owner}/{self.name}"

    def family(self, endpoint: str) -> Family | None:
        """The schema for `embeddings`, `rerank` or `classify`; None when the model does not serve that endpoint."""
        return {"embeddings": self.embeddings, "rerank": self.rerank, "classify": self.classify}.get(endpoint)

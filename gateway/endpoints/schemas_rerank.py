"""P: the request schemas of /v1/rerank, named as the contract names them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from gateway.catalogue.model import Family
from gateway.endpoints.schemas import WHOLE, Flag, ImageDocuments, Query, Request, TextDocuments

Count: TypeAlias = Annotated[int, Field(strict=True, ge=1), WHOLE]


class RerankRequest(Request):
    """What every rerank request may carry beside `model` and `documents`."""

    query: Query
    top_n: Count | None = None
    return_documents: Flag | None = True
    truncation: Flag | None = None


class TextRerankerRequest(RerankRequest):
    """jina-reranker-v1-*, jina-reranker-v2-* and the ColBERT models."""

    model: Literal[
        "jina-reranker-v2-base-multilingual",
        "jina-reranker-v1-tiny-en",
        "jina-reranker-v1-turbo-en",
        "jina-reranker-v1-base-en",
        "jina-colbert-v1-en",
        "jina-colbert-v2",
    ]
    documents: TextDocuments


class RerankerM0Request(RerankRequest):
    """jina-reranker-m0."""

    model: Literal["jina-reranker-m0"]
    documents: ImageDocuments


class RerankerV3Request(RerankRequest):
    """jina-reranker-v3, listwise."""

    model: Literal["jina-reranker-v3"]
    documents: TextDocuments
    max_doc_length: Annotated[int, Field(strict=True, ge=1, le=8_192), WHOLE] = 2_048
    return_embeddings: Flag | None = None


class OwnRerankerRequest(RerankRequest):
    """A reranker of this gateway's own."""

    model: str
    documents: TextDocuments


SCHEMAS: dict[Family, type[RerankRequest]] = {
    Family(schema.__name__): schema
    for schema in (TextRerankerRequest, RerankerM0Request, RerankerV3Request, OwnRerankerRequest)
}
"""In the contract's order; ours last."""

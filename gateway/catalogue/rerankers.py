"""P: the contract's six models that only rerank."""

from __future__ import annotations

from gateway.catalogue.embeddings import CONTEXT, OWNER, TEXT, title
from gateway.catalogue.model import Family, Model
from gateway.vocabulary import Modality, Shape


def _model(
    name: str, family: Family, description: str, context_length: int, modalities: frozenset[Modality] = TEXT
) -> Model:
    listwise = family is Family.RERANKER_V3
    return Model(
        name=name,
        owner=OWNER,
        title=title(name),
        description=description,
        created=0,
        revision=name,
        context_length=context_length,
        rerank=family,
        shape=Shape.RANKING if listwise else Shape.SCORE,
        modalities=modalities,
        listwise=listwise,
    )


MODELS: tuple[Model, ...] = (
    _model(
        "jina-reranker-v2-base-multilingual",
        Family.TEXT_RERANKER,
        "Scores text against a query, many languages.",
        1_024,
    ),
    _model(
        "jina-reranker-v1-tiny-en", Family.TEXT_RERANKER, "Scores text against a query, English, smallest.", CONTEXT
    ),
    _model("jina-reranker-v1-turbo-en", Family.TEXT_RERANKER, "Scores text against a query, English, small.", CONTEXT),
    _model("jina-reranker-v1-base-en", Family.TEXT_RERANKER, "Scores text against a query, English.", CONTEXT),
    _model(
        "jina-reranker-m0",
        Family.RERANKER_M0,
        "Scores text and images against a query.",
        10_240,
        frozenset({Modality.TEXT, Modality.IMAGE}),
    ),
    _model(
        "jina-reranker-v3",
        Family.RERANKER_V3,
        "Reads the query and all documents together and ranks them, many languages.",
        131_072,
    ),
)
"""In the contract's order."""

"""P: the models that the gateway brings along: one under its real name, and a weighting of words that needs none."""

from __future__ import annotations

from gateway.catalogue.model import Family, Model, Tokenizer
from gateway.vocabulary import Shape

LOCAL_MODEL = Model(
    name="all-MiniLM-L6-v2",
    owner="sentence-transformers",
    title="all-MiniLM-L6-v2 (int8)",
    description="Small English text vectors on this machine; ranks by the cosine of query and document.",
    created=0,
    # The weights' quantisation and digest are in the name: other weights are another vector space.
    revision="all-MiniLM-L6-v2/int8@8199be6f",
    context_length=256,
    embeddings=Family.OWN_EMBEDDINGS,
    rerank=Family.OWN_RERANKER,
    classify=Family.OWN_ZERO_SHOT,
    dimensions=384,
    max_dimensions=384,
    multivector=True,
    tokenizer=Tokenizer.MINILM,
)

LOCAL_SPARSE = Model(
    name="bm25-wordpiece",
    owner="gateway",
    title="BM25 over WordPiece",
    description="Sparse English text vectors on this machine: a weight for each piece of a word.",
    created=0,
    # Another formula or another vocabulary is another vector space.
    revision="bm25-wordpiece/1@be50c362",
    context_length=256,
    embeddings=Family.OWN_EMBEDDINGS,
    shape=Shape.SPARSE,
    tokenizer=Tokenizer.MINILM,
)

LOCAL_MODELS = (LOCAL_MODEL, LOCAL_SPARSE)
"""What a backend `embedded` serves."""

"""P: the model that the gateway brings along and serves under its real name."""

from __future__ import annotations

from gateway.catalogue.model import Family, Model, Tokenizer

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
    tokenizer=Tokenizer.MINILM,
)

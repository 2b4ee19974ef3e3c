"""P: the contract's model that answers chat completions."""

from __future__ import annotations

from gateway.catalogue.embeddings import OWNER, title
from gateway.catalogue.model import Model
from gateway.vocabulary import Modality, Shape

MODELS: tuple[Model, ...] = (
    Model(
        name="jina-vlm",
        owner=OWNER,
        title=title("jina-vlm"),
        description="Answers in text about text and images.",
        created=0,
        revision="jina-vlm",
        context_length=32_768,
        chat=True,
        shape=Shape.VERBATIM,
        modalities=frozenset({Modality.TEXT, Modality.IMAGE}),
    ),
)

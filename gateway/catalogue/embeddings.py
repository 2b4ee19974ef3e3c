"""P: the contract's 18 embedding models; the two ColBERT models also rerank."""

from __future__ import annotations

from typing import TypedDict, Unpack

from gateway.catalogue.model import Family, Model, Tiles
from gateway.vocabulary import Modality, Shape

OWNER = "jina-ai"
CONTEXT = 8_192
LONG_CONTEXT = 32_768

TEXT = frozenset({Modality.TEXT})
PAGES = frozenset({Modality.TEXT, Modality.IMAGE, Modality.PDF})
EVERYTHING = frozenset(Modality)


def title(name: str) -> str:
    """The name that people read: `jina-embeddings-v3` → `Jina AI: Jina Embeddings v3`."""
    words = (word if any(map(str.isdigit, word)) else word.capitalize() for word in name.split("-"))
    return f"Jina AI: {' '.join(words)}"


_ZERO_SHOT = {
    Family.EMBEDDINGS_V2: Family.V2_ZERO_SHOT,
    Family.EMBEDDINGS_V3: Family.V3_ZERO_SHOT,
    Family.EMBEDDINGS_V4: Family.V4_ZERO_SHOT,
    Family.EMBEDDINGS_V5: Family.V5_ZERO_SHOT,
    Family.CODE_500M: Family.CODE_ZERO_SHOT,
    Family.CODE_1500M: Family.CODE_ZERO_SHOT,
    Family.CLIP_V1: Family.CLIP_ZERO_SHOT,
    Family.CLIP_V2: Family.CLIP_ZERO_SHOT,
}
"""The families that classify by labels alone; of v5 only the text variants do."""


class _Traits(TypedDict, total=False):
    created: int
    price: str
    context_length: int
    rerank: Family
    classify: Family | None
    shape: Shape
    dimensions: int
    max_dimensions: int
    matryoshka: bool
    multivector: bool
    modalities: frozenset[Modality]
    tiles: Tiles


def _model(name: str, family: Family, description: str, **traits: Unpack[_Traits]) -> Model:
    """An entry of the Jina API; its name is its vector space, because the API versions models by name."""
    traits.setdefault("context_length", CONTEXT)
    traits.setdefault("created", 0)
    traits.setdefault("classify", _ZERO_SHOT.get(family))
    return Model(
        name=name,
        owner=OWNER,
        title=title(name),
        description=description,
        revision=name,
        embeddings=family,
        **traits,
    )


_V2 = tuple(
    _model(f"jina-embeddings-v2-base-{kind}", Family.EMBEDDINGS_V2, f"Text vectors, v2: {what}.", dimensions=768)
    for kind, what in (
        ("en", "English"),
        ("zh", "Chinese and English"),
        ("de", "German and English"),
        ("es", "Spanish and English"),
        ("code", "source code and English"),
    )
)

_V5 = tuple(
    _model(
        f"jina-embeddings-v5-{kind}-{size}",
        Family.EMBEDDINGS_V5,
        f"Vectors of {what}, v5, {size} size; tasks; may be shortened.",
        context_length=CONTEXT if size == "nano" else LONG_CONTEXT,
        dimensions=768 if size == "nano" else 1_024,
        max_dimensions=1_024,
        matryoshka=True,
        modalities=modalities,
        classify=Family.V5_ZERO_SHOT if modalities is TEXT else None,
    )
    for kind, what, modalities in (
        ("text", "text", TEXT),
        ("omni", "text, images, video, sound and PDF", EVERYTHING),
    )
    for size in ("nano", "small")
)

_CODE = tuple(
    _model(
        f"jina-code-embeddings-{size}",
        family,
        f"Vectors of source code and questions about it, {size} parameters; tasks; may be shortened.",
        context_length=LONG_CONTEXT,
        dimensions=width,
        max_dimensions=width,
        matryoshka=True,
    )
    for size, family, width in (("0.5b", Family.CODE_500M, 896), ("1.5b", Family.CODE_1500M, 1_536))
)

_COLBERT = tuple(
    _model(
        name,
        family,
        f"One vector a token, for late interaction; {languages}. Also reranks.",
        rerank=Family.TEXT_RERANKER,
        shape=Shape.MULTI,
        dimensions=128,
    )
    for name, family, languages in (
        ("jina-colbert-v1-en", Family.COLBERT_V1, "English"),
        ("jina-colbert-v2", Family.COLBERT_V2, "many languages, 64, 96 or 128 values a token"),
    )
)

MODELS: tuple[Model, ...] = (
    *_V2,
    _model(
        "jina-embeddings-v3",
        Family.EMBEDDINGS_V3,
        "Text vectors in many languages; tasks, late chunking; may be shortened.",
        created=1_725_840_000,
        price="0.00000005",
        dimensions=1_024,
        max_dimensions=1_024,
        matryoshka=True,
    ),
    _model(
        "jina-embeddings-v4",
        Family.EMBEDDINGS_V4,
        "Vectors of text, images and PDF, one an input or one a token; tasks, late chunking; may be shortened.",
        context_length=LONG_CONTEXT,
        dimensions=2_048,
        max_dimensions=2_048,
        matryoshka=True,
        multivector=True,
        modalities=PAGES,
    ),
    *_V5,
    *_CODE,
    _model(
        "jina-clip-v1",
        Family.CLIP_V1,
        "Text and images in one vector space.",
        dimensions=768,
        modalities=PAGES,
        tiles=Tiles(side=224, tokens=1_000),
    ),
    _model(
        "jina-clip-v2",
        Family.CLIP_V2,
        "Text and images in one vector space, many languages; may be shortened.",
        dimensions=1_024,
        max_dimensions=1_024,
        matryoshka=True,
        modalities=PAGES,
    ),
    *_COLBERT,
    Model(
        name="elser-v2",
        owner="elastic",
        title="elser-v2",
        description="Sparse vectors: a weight for each token that matters; English.",
        created=0,
        revision="elser-v2",
        context_length=512,
        embeddings=Family.ELSER_V2,
        shape=Shape.SPARSE,
    ),
)
"""In the contract's order."""

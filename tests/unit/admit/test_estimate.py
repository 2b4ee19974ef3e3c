from __future__ import annotations

import pytest

from gateway.admit.estimate import MEDIA_TOKENS, estimate
from gateway.vocabulary import Item, Modality, Part, Unit

TEXT = Item.text("12345")
IMAGE = Item(Modality.IMAGE, (Part(Modality.IMAGE, "https://example.org/a.png"),))
GROUP = Item(Modality.GROUP, (*TEXT.parts, *IMAGE.parts))


@pytest.mark.parametrize(
    ("unit", "query", "context", "endpoint", "tokens"),
    [
        ((TEXT,), None, 8_192, "embeddings", 7),
        ((TEXT,), None, 6, "embeddings", 6),
        ((TEXT, TEXT), None, 6, "embeddings", 12),
        ((IMAGE,), None, 100_000, "embeddings", MEDIA_TOKENS),
        ((IMAGE,), None, 77, "embeddings", 77),
        ((GROUP,), None, 100_000, "embeddings", MEDIA_TOKENS + 7),
        ((GROUP,), None, 50, "embeddings", 50),
        ((TEXT,), "query", 8_192, "rerank", 14),
        ((TEXT, TEXT), "query", 6, "rerank", 28),
        ((IMAGE,), "é", 10, "rerank", 16),
    ],
)
def test_what_is_reserved(unit: Unit, query: str | None, context: int, endpoint: str, tokens: int) -> None:
    assert estimate(unit, query, context, endpoint) == tokens

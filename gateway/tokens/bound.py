"""P: how many tokens a text can have at most, without its tokenizer."""

from __future__ import annotations

SPECIAL_TOKENS = 2
"""What a model adds around one text (a start and an end mark)."""

PAIR_TOKENS = 4
"""What a reranker adds around a query and a document that are read together."""


def utf8_length(text: str) -> int:
    """Bytes of `text` in UTF-8; a lone surrogate (possible in JSON) counts as three.

    Byte-level, SentencePiece and WordPiece vocabularies spend at least one byte on every token, so this bounds the
    tokens of a text, special ones left out.
    """
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))

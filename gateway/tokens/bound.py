"""P: how many tokens a text can have at most, without its tokenizer."""

from __future__ import annotations

SPECIAL_TOKENS = 2
"""What a model adds around one text (a start and an end mark)."""


def utf8_length(text: str) -> int:
    """Bytes of `text` in UTF-8; a lone surrogate (possible in JSON) counts as three."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def text_bound(text: str, context_length: int) -> int:
    """Most tokens that a model reading at most `context_length` tokens can count for `text`.

    Byte-level, SentencePiece and WordPiece vocabularies spend at least one byte on every token.
    """
    return min(utf8_length(text) + SPECIAL_TOKENS, context_length)

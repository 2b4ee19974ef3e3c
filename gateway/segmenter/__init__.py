"""P: cuts a text into chunks and tokens, offline: structure to chunks, vocabularies that are handed in to tokens."""

from __future__ import annotations

from gateway.segmenter.segment import DEFAULT_CHUNK, LONGEST_TEXT, Wanted, segment
from gateway.segmenter.tokens import Vocabulary

__all__ = ["DEFAULT_CHUNK", "LONGEST_TEXT", "Vocabulary", "Wanted", "segment"]

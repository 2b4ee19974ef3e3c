"""E: token counters, each with its vocabulary as an installed package brings it; loading one takes up to 0.2 s."""

from __future__ import annotations

from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

import toktok

from gateway.catalogue.model import Tokenizer
from gateway.tokens.byte_pairs import byte_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_BYTE_PAIR_SLICE = 32_768
"""Counted within 3 ms even when it is hostile (20 to 70 ns a byte for base64, 2 ns for English)."""

_WORDPIECE_SLICE = 2_048
"""Counted within 2.2 ms even when it is hostile (1 µs a byte, 0.3 µs for English); four times what the model reads."""

_THREADS = 1
_FEW = 64
"""Texts that are counted one by one: a batch starts a thread, which costs as much as counting so many."""

_LOCAL_MODEL = ("processes", "local_model", "tokenizer.json")


class Counter:
    """Counts tokens of texts, special tokens left out. One call may be handed `slice_bytes` of UTF-8."""

    def __init__(self, count: Callable[[Sequence[str]], list[int]], slice_bytes: int) -> None:
        self.slice_bytes = slice_bytes
        self._count = count

    def count(self, texts: Sequence[str]) -> list[int] | None:
        """Tokens of each text; None when one of them is no Unicode text (it has a lone surrogate)."""
        try:
            return self._count(texts)
        except (UnicodeError, TypeError):
            return None


def load(wanted: Iterable[Tokenizer]) -> Mapping[Tokenizer, Counter]:
    """A counter for each tokenizer that this installation has (the bundled model's comes with the extra `local`)."""
    found = {tokenizer: _load(tokenizer) for tokenizer in set(wanted)}
    return {tokenizer: counter for tokenizer, counter in found.items() if counter is not None}


def _load(tokenizer: Tokenizer) -> Counter | None:
    if tokenizer is Tokenizer.MINILM:
        return _wordpiece()
    return Counter(_byte_pairs(tokenizer.value), _BYTE_PAIR_SLICE)


def _byte_pairs(name: str) -> Callable[[Sequence[str]], list[int]]:
    single = byte_pairs(name).count
    many = partial(toktok.batch_count, encoding=name, threads=_THREADS)
    normal = toktok._nfc if name == Tokenizer.QWEN35.value else str  # noqa: SLF001 - what batch_count does first

    def count(texts: Sequence[str]) -> list[int]:
        return [single(normal(text)) for text in texts] if len(texts) <= _FEW else many(texts)

    return count


def _wordpiece() -> Counter | None:
    try:
        import tokenizers  # noqa: PLC0415 - only with the extra `local`
    except ImportError:
        return None
    # The file that the local model itself reads; it asks for padding and truncation, which would hide a text's length.
    loaded = tokenizers.Tokenizer.from_file(str(files("gateway").joinpath(*_LOCAL_MODEL)))
    loaded.no_padding()
    loaded.no_truncation()

    def count(texts: Sequence[str]) -> list[int]:
        return [len(loaded.encode(text, add_special_tokens=False)) for text in texts]

    return Counter(count, _WORDPIECE_SLICE)

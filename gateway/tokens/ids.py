"""E: token ids → text, by the vocabularies that an installed package brings; loading one takes up to 0.4 s, once."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from gateway.catalogue.model import Tokenizer
from gateway.tokens.byte_pairs import byte_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOCAL_MODEL = ("processes", "local_model", "tokenizer.json")


class IdVocabulary:
    """Both ways; `specials` are ids that `encode` makes of no text."""

    def __init__(
        self,
        encode: Callable[[str], list[int]],
        spell: Callable[[Sequence[int]], str],
        specials: frozenset[int] = frozenset(),
    ) -> None:
        self.encode = encode
        self.specials = specials
        self._spell = spell

    def decode(self, ids: Sequence[int]) -> str:
        """The text; a character that was cut in two at an end is U+FFFD.

        Raises:
            ValueError: an id is not in the vocabulary.
        """
        try:
            return self._spell(ids)
        except (KeyError, OverflowError, TypeError):
            raise ValueError("an id is not in the vocabulary") from None


@cache
def id_vocabulary(name: Tokenizer) -> IdVocabulary | None:
    """The vocabulary; None where this installation lacks it (the bundled model's comes with the extra `local`)."""
    if name is Tokenizer.MINILM:
        return _wordpiece()
    loaded = byte_pairs(name.value)

    def spell(ids: Sequence[int]) -> str:
        for number in set(ids):
            loaded.decode_single_token_bytes(number)  # a KeyError where the whole would leave it out
        spelled: bytes = loaded.decode_bytes(list(ids))
        return spelled.decode("utf-8", "replace")

    return IdVocabulary(loaded.encode_ordinary, spell, frozenset(dict(loaded.special_tokens()).values()))


def _wordpiece() -> IdVocabulary | None:
    try:
        import tokenizers  # noqa: PLC0415 - only with the extra `local`
    except ImportError:
        return None
    loaded = tokenizers.Tokenizer.from_file(str(files("gateway").joinpath(*_LOCAL_MODEL)))
    loaded.no_padding()
    loaded.no_truncation()

    def encode(text: str) -> list[int]:
        return list(loaded.encode(text, add_special_tokens=False).ids)

    def spell(ids: Sequence[int]) -> str:
        if max(ids, default=0) >= loaded.get_vocab_size():
            raise KeyError
        return str(loaded.decode(list(ids), skip_special_tokens=True))

    return IdVocabulary(encode, spell, frozenset(loaded.get_added_tokens_decoder()))

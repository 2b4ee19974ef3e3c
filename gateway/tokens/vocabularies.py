"""E: the segmenter's vocabularies, each loaded when it is first asked for, which takes up to half a second."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from gateway.tokens.byte_pairs import byte_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMES = ("cl100k_base", "o200k_base", "p50k_base", "r50k_base", "p50k_edit", "gpt2")
"""What a call may name; the first is the default."""

_COMPILED_IN = ("cl100k_base", "o200k_base")
_END = "<|endoftext|>"
_FILL_IN = {"<|fim_prefix|>": 50_281, "<|fim_middle|>": 50_282, "<|fim_suffix|>": 50_283}
_SPACES = range(2, 26)
"""p50k_base is r50k_base and a token for each of these numbers of spaces, which is good for source code."""

_SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"


class ByteVocabulary:
    """segmenter.Vocabulary over a library's functions."""

    def __init__(
        self, encode: Callable[[str], list[int]], spell: Callable[[int], bytes], specials: Mapping[str, int]
    ) -> None:
        self.encode = encode
        self.spell = spell
        self.specials = specials


@cache
def vocabulary(name: str) -> ByteVocabulary:
    """The vocabulary of that name, one of NAMES; to be called in one thread only, as it may have to be loaded.

    Raises:
        ValueError: the file of this package is not what it should be.
    """
    return _compiled_in(name) if name in _COMPILED_IN else _byte_pairs(name)


def _compiled_in(name: str) -> ByteVocabulary:
    loaded = byte_pairs(name)
    return ByteVocabulary(loaded.encode_ordinary, loaded.decode_single_token_bytes, dict(loaded.special_tokens()))


def _byte_pairs(name: str) -> ByteVocabulary:
    from tiktoken import Encoding  # noqa: PLC0415 - needed by calls that name an old vocabulary only
    from tiktoken_ext.openai_public import r50k_pat_str  # noqa: PLC0415 - as above

    ranks = _r50k()
    if name.startswith("p50k"):
        ranks |= {b" " * spaces: len(ranks) + 1 + at for at, spaces in enumerate(_SPACES)}
    specials = {_END: 50_256} | (_FILL_IN if name == "p50k_edit" else {})
    loaded = Encoding(name, pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens=specials)
    return ByteVocabulary(loaded.encode_ordinary, loaded.decode_single_token_bytes, specials)


def _r50k() -> dict[bytes, int]:
    """Ids by token. Raises ValueError unless the original file can be restored to the byte."""
    packed = files("gateway").joinpath("tokens", "r50k_base.gz").read_bytes()
    tokens = gzip.decompress(packed).split()
    original = b"".join(b"%s %d\n" % (token, rank) for rank, token in enumerate(tokens))
    if sha256(original).hexdigest() != _SHA256:
        raise ValueError("r50k_base.gz is damaged: install the package again")
    return {base64.b64decode(token): rank for rank, token in enumerate(tokens)}

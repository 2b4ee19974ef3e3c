"""E: toktok's vocabularies of byte pairs, each loaded once, held to a table of recent words that is small."""

from __future__ import annotations

from typing import Any

import toktok

_SHARERS = 32
"""toktok gives a thread that counts alone a table of 16 MiB, written in full at once, and each of so many 1 MiB, which
counts no slower: words repeat. A table outlives its thread and goes to the next one that counts."""


def byte_pairs(name: str) -> Any:  # noqa: ANN401 - the class has no stubs
    """The class with ids of that name, to be used in the calling thread, which gets a small table.

    It is private (the public functions only count), so the package is held below 0.4; see docs/decisions/0010.

    Raises:
        KeyError: there is no such vocabulary.
    """
    loaded = toktok._encoding(name)  # noqa: SLF001 - see above
    loaded.count_batch(["a"] * _SHARERS, _SHARERS, False)  # noqa: FBT003 - it takes no keywords
    loaded.count("a")
    return loaded

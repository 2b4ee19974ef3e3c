"""P: bytes that an answer takes in the in-process layer, as tracemalloc finds them for real entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.vocabulary import Answer

OVERHEAD_BYTES = 620
"""Of an entry beside its payload and forms: objects, dictionary slots, the key."""

FORM_OVERHEAD_BYTES = 200
"""Of a ready-to-send form beside its bytes: its object, its key, its slot."""


def bare(answer: Answer) -> int:
    """Bytes that an answer takes without its ready-to-send forms."""
    return OVERHEAD_BYTES + len(answer.payload) + len(answer.extra)


def forms(answer: Answer) -> int:
    """Bytes that its ready-to-send forms take."""
    made = answer.fragments
    return FORM_OVERHEAD_BYTES * len(made) + sum(map(len, made.values()))


def weigh(answer: Answer) -> int:
    """Bytes that an answer and its ready-to-send forms take."""
    return bare(answer) + forms(answer)

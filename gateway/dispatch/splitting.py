"""P: a list cut into pieces that a backend takes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def split(positions: Sequence[int], limit: int) -> list[Sequence[int]]:
    """Consecutive pieces of at most `limit`, as few as possible and as even as possible, in order.

    Even pieces finish together: 513 positions with a limit of 512 are 257 and 256, not 512 and 1.
    """
    count = len(positions)
    pieces = -(-count // limit)
    edges = [count * piece // pieces for piece in range(pieces + 1)] if pieces else []
    return [positions[start:end] for start, end in pairwise(edges)]

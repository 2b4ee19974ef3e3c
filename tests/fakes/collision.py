"""P: two different texts whose records have one XXH3-128 address, as a forger would make them.

For each 8-byte lane of a 64-byte stripe, XXH3's long path multiplies the two halves of (data xor a public secret).
When the first halves of one lane in two neighbouring stripes differ by what the secret differs by, the products have
a common factor, and moving a bit of the second half from one stripe to the other changes neither their sum nor the
sum of the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.plan.cache_key import unit_record
from gateway.vocabulary import Item

if TYPE_CHECKING:
    from collections.abc import Callable

STRIPE = 64
AT = 4 * STRIPE
"""Where in the record the two lanes with this difference lie: lane 0 of stripes 4 and 5."""

LENGTH = 1_024


def colliding(record_of: Callable[[Item], bytes]) -> tuple[str, str]:
    """Two printable texts of 1,024 letters and signs; `record_of` gives the whole record of an item."""
    at = AT - record_of(Item.text("x" * LENGTH)).index(b"x" * LENGTH)
    if at < 0:
        raise ValueError("the record's shared part is too long")
    texts = [
        "x" * at + "!@@@" + one + "x" * (STRIPE - 5) + "hcvs" + other + "x" * (LENGTH - at - STRIPE - 5)
        for one, other in ("aA", "Aa")
    ]
    return texts[0], texts[1]


def record_with(shared: bytes) -> Callable[[Item], bytes]:
    """What `colliding` takes, for a job with this shared record."""
    return lambda item: shared + unit_record((item,))

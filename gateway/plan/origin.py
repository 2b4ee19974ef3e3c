"""P: which model and tenant an answer came from, in 16 bytes that an entry can carry."""

from __future__ import annotations

import xxhash

TAG_BYTES = 8
ORIGIN_BYTES = 2 * TAG_BYTES
NOBODY = bytes(TAG_BYTES)
"""In place of a model or tenant that is not named."""


def tag(name: str) -> bytes:
    """A name in 8 bytes: told apart from the few others, not secret."""
    return xxhash.xxh3_64_digest(name.encode())


def origin(model: str, tenant: str | None) -> bytes:
    """Model and tenant, tag after tag; an answer that was promoted is no single tenant's (None)."""
    return tag(model) + (NOBODY if tenant is None else tag(tenant))

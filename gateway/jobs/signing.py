"""P: download paths that are good for a while for whoever has them: signed, so that they need no key."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from hashlib import blake2b

_PURPOSE = b"gw-download-path"
_QUERY = re.compile(r"expires=([1-9][0-9]{0,11})&signature=([A-Za-z0-9_-]{43})")


def sign(path: str, expires_epoch: int, secret: bytes) -> str:
    """The query, without its question mark, under which `path` may be got until `expires_epoch`, in seconds since 1970.

    `secret` is that of the gateways on a store: any of them takes it.
    """
    return f"expires={expires_epoch}&signature={_signature(path, expires_epoch, secret)}"


def verified(path: str, query: str, now: int, secret: bytes) -> bool:
    """Whether a query is what `sign` gave for this very path, and has not run out; in constant time."""
    found = _QUERY.fullmatch(query)
    if found is None:
        return False
    expires = int(found[1])
    return hmac.compare_digest(found[2], _signature(path, expires, secret)) and now < expires


def _signature(path: str, expires: int, secret: bytes) -> str:
    content = f"{expires}\n{path}".encode()
    digest = blake2b(content, digest_size=32, key=secret[:64], person=_PURPOSE).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()

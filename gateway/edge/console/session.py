"""P: what a browser holds after the admin token was typed: a value that is signed and ends, and one for each form."""

from __future__ import annotations

import hmac
import re
from hashlib import blake2b

COOKIE = "gateway_console"

LIFE_SECONDS = 8 * 3_600
"""A working day; then the token is asked for again."""

_SESSION = b"gw-console"
_FORM = b"gw-console-form"
_VALUE = re.compile(r"([1-9][0-9]{0,11})\.[0-9A-Za-z]{1,64}\.([0-9a-f]{64})")


def opened(nonce: str, now: int, token: bytes, secret: bytes) -> str:
    """A new session's value. `token` is the admin token's digest: with another token, sessions of the old one end.

    `secret` is that of the gateways on a store: every worker takes the value.
    """
    head = f"{now + LIFE_SECONDS}.{nonce}"
    return f"{head}.{_signature(head, token, secret, _SESSION)}"


def is_open(value: str, now: int, token: bytes, secret: bytes) -> bool:
    """Whether a value is what `opened` gave, and has not run out; in constant time."""
    found = _VALUE.fullmatch(value)
    if found is None:
        return False
    signed = _signature(value.rpartition(".")[0], token, secret, _SESSION)
    return hmac.compare_digest(found[2], signed) and now < int(found[1])


def form_token(value: str, token: bytes, secret: bytes) -> str:
    """What each form of a session carries: a page of somebody else's cannot know it."""
    return _signature(value, token, secret, _FORM)


def _signature(text: str, token: bytes, secret: bytes, purpose: bytes) -> str:
    content = token + text.encode()
    return blake2b(content, digest_size=32, key=secret[:64], person=purpose).hexdigest()

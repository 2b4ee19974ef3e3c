"""P: credentials and the key directory → Caller."""

from __future__ import annotations

import hmac
import re
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from gateway.config.metering import meters_for
from gateway.errors import invalid_api_key, invalid_auth_format, missing_api_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Call, Caller, Facts

KEY_PREFIX = "jina_"
KEY_LENGTH = 65
"""Issued keys have the upstream's form, so that clients which check it accept them (API contract)."""

KEY_ID_DIGITS = 12

ANONYMOUS = "@anonymous"
"""The tenant of calls without a key in logs and the ledger; no tenant can have a name like this."""

_FORWARDABLE = re.compile(r"[\x21-\x7e]{1,512}")
_SCHEME = "bearer"
_PURPOSE = b"gw-api-key"


def digest(key: str, secret: bytes) -> bytes:
    """32 bytes that stand for an API key: keyed BLAKE2b; the key itself is never stored."""
    return blake2b(key.encode(errors="surrogateescape"), digest_size=32, key=secret[:64], person=_PURPOSE).digest()


def authenticate(credentials: str | None, directory: Mapping[bytes, Caller], secret: bytes, now: int) -> Caller:
    """The caller behind an Authorization header; `now` is in seconds since 1970.

    The look-up is by keyed digest, so neither the dictionary nor its timing says anything about a key's characters.

    Raises:
        GatewayError: AUTH_MISSING_API_KEY, AUTH_INVALID_FORMAT (not `Bearer <token>`, RFC 6750 §2.1) or
            AUTH_INVALID_API_KEY (nobody's, or expired).
    """
    caller = directory.get(digest(token_of(credentials), secret))
    if caller is None or (caller.expires is not None and caller.expires <= now):
        raise invalid_api_key()
    return caller


def recognise(credentials: str | None, snapshot: Snapshot, now: int) -> Caller:
    """The caller behind an Authorization header, in the way that the configuration wants. Raises GatewayError."""
    if snapshot.passthrough is not None:
        return pass_through(credentials, snapshot.passthrough, snapshot.secret)
    return authenticate(credentials, snapshot.directory, snapshot.secret, now)


def pass_through(credentials: str | None, like: Caller, secret: bytes) -> Caller:
    """The caller whose own key the backend is to check: `like`, with names made of the key's digest.

    The tenant is `key-` and 12 hex digits; the org, which separates what is stored, has all of the digest.

    Raises:
        GatewayError: AUTH_MISSING_API_KEY, AUTH_INVALID_FORMAT, AUTH_INVALID_API_KEY (no header can carry it).
    """
    token = token_of(credentials)
    if not _FORWARDABLE.fullmatch(token):
        raise invalid_api_key()
    name = digest(token, secret).hex()
    key_id = name[:KEY_ID_DIGITS]
    tenant = f"key-{key_id}"
    return replace(meters_for(like, tenant), tenant=tenant, org=f"key-{name}", key_id=key_id, credential=token)


def as_address(snapshot: Snapshot, call: Call, facts: Facts) -> Caller:
    """The caller without a key: a client address, where the tier for those names the endpoint.

    Raises:
        GatewayError: AUTH_MISSING_API_KEY.
    """
    anybody = snapshot.anonymous
    if anybody is None or facts.endpoint not in anybody.by_endpoint:
        raise missing_api_key()
    facts.tenant, facts.tier = ANONYMOUS, anybody.tier
    # No tenant's name begins with this sign, so nobody's limits are mixed up with an address's.
    return replace(meters_for(anybody, f"@{call.client}"), tenant=ANONYMOUS)


def token_of(credentials: str | None) -> str:
    """The bearer token of an Authorization header.

    Raises:
        GatewayError: AUTH_MISSING_API_KEY, AUTH_INVALID_FORMAT.
    """
    if credentials is None or not credentials.strip():
        raise missing_api_key()
    scheme, _, token = credentials.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != _SCHEME or token.split() != [token]:
        raise invalid_auth_format()
    return token


def issue(random_bytes: bytes) -> str:
    """A new API key from at least 30 random bytes: `jina_` and 60 hex digits (240 bits).

    Raises:
        ValueError: fewer than 30 bytes were given.
    """
    needed = (KEY_LENGTH - len(KEY_PREFIX)) // 2
    if len(random_bytes) < needed:
        raise ValueError(f"an API key needs {needed} random bytes, got {len(random_bytes)}")
    return KEY_PREFIX + random_bytes[:needed].hex()


def same(left: bytes, right: bytes) -> bool:
    """Whether two digests are equal, in constant time."""
    return hmac.compare_digest(left, right)

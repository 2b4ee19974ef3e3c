"""E: facts → the headers beside an answer: what is left, when to come back, where the answer came from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.vocabulary import Remaining, Reply


def limit_headers(remaining: Remaining | None) -> dict[str, str]:
    """The contract's two headers; a limit that does not exist has none."""
    headers: dict[str, str] = {}
    if remaining is not None and remaining.requests is not None:
        headers["X-RateLimit-Remaining-Requests"] = str(remaining.requests)
    if remaining is not None and remaining.tokens is not None:
        headers["X-RateLimit-Remaining-Tokens"] = str(remaining.tokens)
    return headers


def retry_header(seconds: float | None) -> dict[str, str]:
    """`Retry-After` in whole seconds, rounded up so that coming back then is not too early (RFC 9110 §10.2.3)."""
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}


def cache_headers(reply: Reply) -> dict[str, str]:
    """`Cache-Status` (RFC 9211), how many inputs were had for nothing (stored, or copies in the list), how many asked.

    A list of which some were stored has `fwd=partial`; an answer that may not be stored has `fwd=bypass`. A
    partial reply says how many inputs it leaves out.
    """
    if reply.bypassed:
        status = "gateway; fwd=bypass"
    elif not reply.misses:
        status = "gateway; hit"
    else:
        marks = ("; stored" if reply.stored else "") + ("; collapsed" if reply.collapsed else "")
        status = f"gateway; fwd={'partial' if reply.hits else 'miss'}{marks}"
    headers = {
        "Cache-Status": status,
        "X-Gateway-Cache-Hits": str(reply.hits + reply.duplicates),
        "X-Gateway-Cache-Misses": str(reply.misses),
    }
    if reply.refused:
        headers["X-Gateway-Refused"] = str(reply.refused)
    return headers


def warning_headers(warnings: tuple[str, ...]) -> dict[str, str]:
    """What lenient validation let pass."""
    if not warnings:
        return {}
    text = "; ".join(warnings).encode("ascii", "replace").decode()
    return {"X-Gateway-Warning": "".join(character if character.isprintable() else "?" for character in text)}

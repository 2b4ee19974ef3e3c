"""P: reading a backend's JSON with suspicion: numbers, vectors and orders are checked before they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson
import pybase64

from gateway.backends.dialect import Outcome, OutcomeKind
from gateway.vocabulary import FLOAT_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.ports import RawReply
    from gateway.vocabulary import Json

MESSAGE_LIMIT = 500

_AT_ONCE = 64
"""Vectors that are checked together: some hundred kB."""


class UnreadableError(Exception):
    """A reply breaks its own contract; the text says how, without quoting content."""


def json_of(reply: RawReply) -> Json:
    """The decoded body.

    Raises:
        UnreadableError: it is not JSON.
    """
    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        raise UnreadableError("the body is not JSON") from error


def vector(value: Json) -> bytes:
    """One vector, from a list of numbers or base64 of little-endian float32, as little-endian float32 bytes.

    Raises:
        UnreadableError: it is empty, holds something that is no finite number, or has a broken length.
    """
    try:
        if isinstance(value, str):
            payload = pybase64.b64decode(value, validate=True)
        elif isinstance(value, list) and value and all(type(entry) in _NUMBERS for entry in value):
            with np.errstate(over="ignore"):  # becomes infinite, and is refused for that below
                payload = np.asarray(value, dtype=_FLOAT).tobytes()
        else:
            raise UnreadableError("a vector is neither a list of numbers nor base64")
        broken = not payload or b"\0" in np.isfinite(np.frombuffer(payload, dtype=_FLOAT)).tobytes()
    except (ValueError, OverflowError) as error:
        raise UnreadableError("a vector cannot be read") from error
    if broken:
        raise UnreadableError("a vector is empty or not finite")
    return payload


_FLOAT = np.dtype("<f4")
_NUMBERS = frozenset({int, float})


def vectors(values: Sequence[Json]) -> list[bytes]:
    """Several vectors, each as `vector` reads it; base64 is checked a part of the list at a time, which costs a third.

    Raises:
        UnreadableError: as `vector`.
    """
    if len(values) == 1:
        return [vector(values[0])]
    read: list[bytes] = []
    for start in range(0, len(values), _AT_ONCE):
        part = values[start : start + _AT_ONCE]
        read += _from_base64(part) or [vector(value) for value in part]
    return read


def _from_base64(values: Sequence[Json]) -> list[bytes] | None:
    """Vectors that are all base64; None where that is not so, or one of them is not to be believed."""
    if set(map(type, values)) != {str}:
        return None
    try:
        rows = [pybase64.b64decode(value, validate=True) for value in values]
        lengths = set(map(len, rows))
        if len(lengths) != 1 or not min(lengths) or min(lengths) % FLOAT_BYTES:
            return None
        return rows if np.isfinite(np.frombuffer(b"".join(rows), dtype="<f4")).all() else None
    except ValueError:
        return None


def score(value: Json) -> float:
    """A relevance score.

    Raises:
        UnreadableError: it is no finite number.
    """
    if type(value) not in _NUMBERS or not np.isfinite(value):
        raise UnreadableError("a score is not a finite number")
    return float(value)


def in_order(entries: Json, count: int, *, ordered: bool) -> list[dict[str, Json]]:
    """Entries by their `index`, each of 0 … count-1 exactly once; without any index, as sent if `ordered`.

    Raises:
        UnreadableError: entries are missing, doubled, or not objects.
    """
    if not isinstance(entries, list) or len(entries) != count or not all(isinstance(entry, dict) for entry in entries):
        raise UnreadableError(f"expected {count} results")
    if ordered and not any("index" in entry for entry in entries):
        return entries
    by_index = {entry.get("index"): entry for entry in entries if type(entry.get("index")) is int}
    if by_index.keys() != set(range(count)):
        raise UnreadableError("results are missing or doubled")
    return [by_index[index] for index in range(count)]


def total_tokens(usage: Json) -> int | None:
    """`usage.total_tokens` (or `prompt_tokens`), None where the reply has no usable count."""
    if not isinstance(usage, dict):
        return None
    for name in ("total_tokens", "prompt_tokens"):
        count = usage.get(name)
        if type(count) is int and count >= 0:
            return count
    return None


def same_width(payloads: Sequence[bytes]) -> int:
    """Bytes of each payload, all equal.

    Raises:
        UnreadableError: they differ, so they cannot be vectors of one space.
    """
    widths = {len(payload) for payload in payloads}
    if len(widths) != 1:
        raise UnreadableError("vectors differ in length")
    return widths.pop()


def message_of(body: bytes) -> str:
    """The sentence in an error body, whichever of the known shapes it has; empty where there is none."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(content, dict):
        return ""
    error = content.get("error")
    nested = error.get("message") if isinstance(error, dict) else error
    detail = content.get("detail")
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        # FastAPI's list; `input`, and messages of the server's own checks, quote what the client sent.
        detail = detail[0].get("msg") if detail[0].get("type") != "value_error" else None
    for candidate in (detail, content.get("message"), nested):
        if isinstance(candidate, str) and candidate:
            return candidate[:MESSAGE_LIMIT]
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 §10.2.3, the delay form only)."""
    value = headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None


_STATUSES = {
    400: OutcomeKind.INVALID,
    401: OutcomeKind.REFUSED,
    402: OutcomeKind.REFUSED,
    403: OutcomeKind.REFUSED,
    404: OutcomeKind.REFUSED,
    405: OutcomeKind.REFUSED,
    408: OutcomeKind.TIMEOUT,
    413: OutcomeKind.TOO_LARGE,
    422: OutcomeKind.INVALID,
    424: OutcomeKind.UNAVAILABLE,
    425: OutcomeKind.UNAVAILABLE,
    429: OutcomeKind.BUSY,
    504: OutcomeKind.TIMEOUT,
}


_OF_KEYS = frozenset({401, 402, 403})
_ABOUT_INPUTS = frozenset({OutcomeKind.INVALID, OutcomeKind.TOO_LARGE})


def failure(reply: RawReply) -> Outcome:
    """What a status other than 200 means. Only a refusal of the *input* carries the backend's words to the client."""
    kind = _STATUSES.get(reply.status, OutcomeKind.UNAVAILABLE)
    message = message_of(reply.body) if kind in _ABOUT_INPUTS else ""
    return Outcome(kind, message=message, retry_after=retry_after(reply.headers), of_key=reply.status in _OF_KEYS)

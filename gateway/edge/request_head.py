"""P: the head of a request whose form leaves no doubt, from its bytes; any other is left to the HTTP parser."""

from __future__ import annotations

import re

from gateway.values import value

LONGEST = 8_000
"""Bytes of a head; the HTTP parser takes somewhat longer ones."""

_REQUEST_LINE = re.compile(rb"([A-Z]{3,7}) (/[!-~]*) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*)")
"""A header line as RFC 9110 §5 wants it, ASCII only: no folded line, no blank before the colon, no stray CR or LF."""

_LENGTH = re.compile(rb"[0-9]{1,9}")
_JSON = re.compile(r"application/json(?:[ \t]*;[ \t]*charset=\"?utf-8\"?)?", re.IGNORECASE)
_UNFRAMED = frozenset({"transfer-encoding", "upgrade", "expect", "trailer"})
"""With one of these the end of a request is not where its length says, or not yet known."""

_CHANGING = frozenset({"cache-control", "content-encoding", "x-request-timeout", "x-fern-sdk-name"})
"""What the pipeline reads, and an ordinary call does without."""

_OURS = "x-gateway-"
_ONCE = frozenset({"host", "content-length", "content-type", "authorization", "connection", "x-request-id"})


@value(frozen=True, slots=True)
class RequestHead:
    """Where a request ends, and what an ordinary call says in its head.

    `length` is of the body in bytes. `ordinary`: a POST of JSON over a connection that stays open, of which nothing
    else in the head changes the answer. `credentials` is the raw Authorization header, never logged.
    """

    path: str
    length: int
    ordinary: bool
    credentials: str | None = None
    request_id: str | None = None
    forwarded: str = ""
    traceparent: str = ""


def read_head(head: bytes) -> RequestHead | None:
    """What a head says, blank line included; None where its form leaves a doubt about where the request ends."""
    if not head.endswith(b"\r\n\r\n"):
        return None
    first, *lines = head[:-4].split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    fields = _fields(lines)
    if line is None or fields is None or not _UNFRAMED.isdisjoint(fields) or "host" not in fields:
        return None
    sent = fields.get("content-length", "0").encode()
    if not _LENGTH.fullmatch(sent):
        return None
    return RequestHead(
        path=line[2].decode(),
        length=int(sent),
        ordinary=line[1] == b"POST" and "content-length" in fields and _is_ordinary(fields),
        credentials=fields.get("authorization"),
        request_id=fields.get("x-request-id"),
        forwarded=fields.get("x-forwarded-for", ""),
        traceparent=fields.get("traceparent", ""),
    )


def _fields(lines: list[bytes]) -> dict[str, str] | None:
    """Header fields by their names in small letters; None where one has another form, or comes twice and must not."""
    fields: dict[str, str] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            return None
        name, value = match[1].decode().lower(), match[2].decode().strip(" \t")
        if name in fields:
            if name in _ONCE:
                return None
            value = f"{fields[name]},{value}"
        fields[name] = value
    return fields


def _is_ordinary(fields: dict[str, str]) -> bool:
    return (
        _CHANGING.isdisjoint(fields)
        and not any(name.startswith(_OURS) for name in fields)
        and fields.get("connection", "keep-alive").lower() == "keep-alive"
        and _JSON.fullmatch(fields.get("content-type", "application/json")) is not None
    )

"""E: responses on the fast path, as bytes; they say what the pipeline's way says."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from aiohttp.helpers import rfc822_formatted_time

from gateway.edge.errors import error_body, failure_headers, status_of
from gateway.edge.flow import Streamed
from gateway.edge.hang_up import CLOSED_REQUEST
from gateway.edge.limit_headers import cache_headers, warning_headers
from gateway.edge.operations import JSON_TYPE, SAFE
from gateway.fast.formed import Hit
from gateway.vocabulary import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.edge.errors import Shape
    from gateway.errors import GatewayError
    from gateway.vocabulary import Facts, Remaining

OK = 200


class Recipient(Protocol):
    """A connection that waits for the answer to its call."""

    def deliver(self, answer: tuple[bytes, ...] | Streamed) -> bool:
        """Send it; False: nobody is there any more."""
        ...


class Telling:
    """Gives one call's answer to its connection; as formed.Tell."""

    __slots__ = ("_identifier", "_recipient", "_shape")

    def __init__(self, recipient: Recipient, identifier: str, shape: Shape) -> None:
        self._recipient = recipient
        self._identifier = identifier
        self._shape = shape

    def tell(self, answer: Hit | Reply | GatewayError, facts: Facts | None) -> int:
        """The status that it has; that of a client who is gone where it got nothing but a failure."""
        if isinstance(answer, Hit):
            self._recipient.deliver(hit_bytes(answer, self._identifier))
            return OK
        left = None if facts is None else facts.remaining
        if isinstance(answer, Reply):
            self._recipient.deliver(reply_bytes(answer, left, self._identifier))
            return OK
        status = status_of(answer)
        there = self._recipient.deliver(failure_bytes(answer, left, self._identifier, self._shape))
        return status if there else CLOSED_REQUEST


def hit_bytes(hit: Hit, identifier: str) -> tuple[bytes, ...] | Streamed:
    """The response to a call that was answered wholly from the cache."""
    fields = hit_fields(hit.hits, hit.duplicates, hit.warnings)
    if hit.pieces is not None:
        return Streamed(
            b"%bTransfer-Encoding: chunked\r\n%b" % (fields, varying(hit.remaining, identifier)), hit.pieces
        )
    length = sum([len(part) for part in hit.parts])
    return b"%bContent-Length: %d\r\n%b" % (fields, length, varying(hit.remaining, identifier)), *hit.parts


def reply_bytes(reply: Reply, remaining: Remaining | None, identifier: str) -> tuple[bytes, bytes]:
    """The response with any other reply."""
    body = reply.body if reply.pieces is None else b"".join(reply.pieces)
    head = _reply_fields(
        reply.hits,
        reply.misses,
        reply.duplicates,
        reply.stored,
        reply.collapsed,
        reply.bypassed,
        reply.refused,
        reply.warnings,
    )
    return b"%bContent-Length: %d\r\n%b" % (head, len(body), varying(remaining, identifier)), body


def failure_bytes(
    error: GatewayError, remaining: Remaining | None, identifier: str, shape: Shape
) -> tuple[bytes, bytes]:
    """The response that tells of a failure."""
    body = error_body(error, identifier, shape)
    head = _lines(status_of(error), failure_headers(error))
    return b"%bContent-Length: %d\r\n%b" % (head, len(body), varying(remaining or error.remaining, identifier)), body


@lru_cache(maxsize=1_024)
def hit_fields(hits: int, duplicates: int, warnings: tuple[str, ...]) -> bytes:
    """The head of a response that is wholly stored, but for its length and what differs each time."""
    reply = Reply(hits=hits, duplicates=duplicates, warnings=warnings)
    return _lines(OK, {**cache_headers(reply), **warning_headers(warnings)})


@lru_cache(maxsize=1_024)
def _reply_fields(  # noqa: PLR0913, PLR0917 - what such a head depends on, as Reply has it
    hits: int,
    misses: int,
    duplicates: int,
    stored: bool,  # noqa: FBT001 - as above
    collapsed: bool,  # noqa: FBT001 - as above
    bypassed: bool,  # noqa: FBT001 - as above
    refused: int,
    warnings: tuple[str, ...],
) -> bytes:
    reply = Reply(b"", None, hits, misses, duplicates, stored, collapsed, bypassed, refused, warnings)
    return _lines(OK, {**cache_headers(reply), **warning_headers(warnings)})


def varying(remaining: Remaining | None, identifier: str) -> bytes:
    """The end of a head: what is left, the call's id and the date."""
    limits = ""
    if remaining is not None and remaining.requests is not None:
        limits = f"X-RateLimit-Remaining-Requests: {remaining.requests}\r\n"
    if remaining is not None and remaining.tokens is not None:
        limits = f"{limits}X-RateLimit-Remaining-Tokens: {remaining.tokens}\r\n"
    return f"{limits}X-Request-Id: {identifier}\r\nDate: {rfc822_formatted_time()}\r\n\r\n".encode()


def _lines(status: int, fields: Mapping[str, str]) -> bytes:
    fields = {**fields, "Content-Type": JSON_TYPE, **SAFE}
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    return "\r\n".join((first, *(f"{name}: {value}" for name, value in fields.items()), "")).encode()

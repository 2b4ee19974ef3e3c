"""E: an HTTP request → Call: its id, its client, its body within the limits."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from aiohttp import hdrs, http_exceptions, web

from gateway.edge.client_address import client_address
from gateway.edge.errors import FramingError
from gateway.edge.patience import Patience
from gateway.edge.unread import has_unread
from gateway.errors import Code, FieldError, GatewayError, input_timeout, invalid_request, service_timeout
from gateway.vocabulary import Call, Directives, Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.config.schema import Config, Server
    from gateway.ports import Clock

SALT_HEADER = "X-Gateway-Cache-Salt"
"""Callers with different salts share no answers."""

TIMEOUT_HEADER = "X-Request-Timeout"
"""Seconds that the client will wait, with decimals if it likes."""

_SECONDS = re.compile(r"(?=.{1,16}$)[0-9]*\.?[0-9]+")
PARTIAL_HEADER = "X-Gateway-Partial"
"""Whether a list is answered without the inputs that the backend refuses; by default it is refused, and they named."""

_PARTIAL = frozenset({"allow", "refuse"})
LANE_HEADER = "X-Gateway-Lane"
"""`bulk` for calls that nobody waits for: they take what interactive ones leave of a backend."""

_SALT = re.compile(r"[\x21-\x7e]{0,128}")

_NO_DIRECTIVES = Directives()
_MAX_AGE = re.compile(r"max-age=(\d{1,10})")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.-]+\+)?json", re.IGNORECASE)


def request_id(request: web.BaseRequest, clock: Clock) -> str:
    """The client's `X-Request-Id` where it is safe to echo, else a new one."""
    return known_id(request.headers.get("X-Request-Id")) or clock.identifier()


def known_id(sent: str | None) -> str | None:
    """An id that a client sent, where it is safe to echo."""
    return sent if sent is not None and _REQUEST_ID.fullmatch(sent) else None


def _stay() -> None:
    """Nobody watches the client of what asks no backend."""


def call_of(
    request: web.BaseRequest, identifier: str, config: Config, clock: Clock, depart: Callable[[], None] | None = None
) -> Call:
    """The call behind a request; its body stays on the wire until somebody known asks for it.

    Raises:
        GatewayError: INPUT_INVALID, see `directives_of`, `timeout_of`, `lane_of` and `partial_of`.
    """
    settings = config.server
    asked = timeout_of(request.headers)
    timeout = settings.timeout if asked is None else min(asked, settings.timeout)
    forwarded = ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, ()))

    async def read() -> bytes:
        return await read_body(request, settings, timeout)

    return Call(
        read=read,
        credentials=request.headers.get(hdrs.AUTHORIZATION),
        client=client_address(request.remote or "", forwarded, config.limits.trusted_proxies),
        request_id=identifier,
        deadline=clock.monotonic() + timeout,
        directives=directives_of(request.headers),
        timeout=timeout,
        chosen=asked is not None,
        partial=partial_of(request.headers),
        depart=depart or _stay,
        lane=lane_of(request.headers),
    )


def directives_of(headers: Mapping[str, str]) -> Directives:
    """What `Cache-Control` (RFC 9111 §5.2.1) and the salt header say; what is not understood is ignored.

    Raises:
        GatewayError: INPUT_INVALID for a salt that cannot be taken as it is: ignored, it would not separate.
    """
    salt, control = headers.get(SALT_HEADER, ""), headers.get(hdrs.CACHE_CONTROL, "")
    if not (salt or control):
        return _NO_DIRECTIVES
    if not _SALT.fullmatch(salt):
        text = "must have at most 128 visible ASCII characters"
        raise invalid_request((FieldError(f"header -> {SALT_HEADER}", text, "salt_invalid"),))
    said = {word.strip().lower() for word in control.split(",")}
    ages = [int(match[1]) for word in said if (match := _MAX_AGE.fullmatch(word))]
    return Directives(
        no_cache="no-cache" in said,
        no_store="no-store" in said,
        only_if_cached="only-if-cached" in said,
        max_age=min(ages) if ages else None,
        salt=salt,
    )


def timeout_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that `X-Request-Timeout` allows the call, None where the client leaves it to us.

    Raises:
        GatewayError: INPUT_INVALID for what is no number above 0: who set a limit must not wait for another.
    """
    sent = headers.get(TIMEOUT_HEADER)
    if sent is None:
        return None
    seconds = float(sent) if _SECONDS.fullmatch(sent.strip()) else 0.0
    if seconds <= 0:
        text = "must be a number of seconds above 0, as 2.5"
        raise invalid_request((FieldError(f"header -> {TIMEOUT_HEADER}", text, "timeout_invalid"),))
    return seconds


def partial_of(headers: Mapping[str, str]) -> bool:
    """Whether `X-Gateway-Partial: allow` takes a reply without the inputs that are refused.

    Raises:
        GatewayError: INPUT_INVALID for another word, which would be taken for a yes or a no by mistake.
    """
    sent = headers.get(PARTIAL_HEADER)
    if sent is None:
        return False
    if sent.strip().lower() not in _PARTIAL:
        text = "must be allow or refuse"
        raise invalid_request((FieldError(f"header -> {PARTIAL_HEADER}", text, "partial_invalid"),))
    return sent.strip().lower() == "allow"


def lane_of(headers: Mapping[str, str]) -> Lane:
    """How urgent a request says it is.

    Raises:
        GatewayError: INPUT_INVALID for another word: taken as interactive, it would be in the way of others.
    """
    said = headers.get(LANE_HEADER)
    if said is None:
        return Lane.INTERACTIVE
    try:
        return Lane(said.strip().lower())
    except ValueError:
        text = f"must be {' or '.join(lane.value for lane in Lane)}"
        raise invalid_request((FieldError(f"header -> {LANE_HEADER}", text, "lane_invalid"),)) from None


async def read_body(
    request: web.BaseRequest, settings: Server, seconds: float, kind: re.Pattern[str] = _JSON_TYPE
) -> bytes:
    """The whole body, which may take `seconds` to arrive; `kind` is what its content type must be, if it has one.

    Raises:
        GatewayError: INPUT_UNSUPPORTED_MEDIA_TYPE (compressed, or another type), INPUT_TOO_LARGE, INPUT_INVALID (broken
            or unknown framing), INPUT_TIMEOUT (it comes too slowly), SERVICE_TIMEOUT (it did not arrive in time).
    """
    _check_headers(request, settings.body_limit, kind)
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # aiohttp takes what was written for the beginning of the answer
    if request.content.at_eof():
        return b""
    try:
        if request.content.is_eof():  # most bodies come with their head: nothing to wait for, so no timer
            return _joined([request.content.read_nowait()], settings.body_limit)
        async with asyncio.timeout(seconds):
            return await _read_on(request, settings)
    except TimeoutError:
        raise service_timeout(seconds) from None
    except (web.RequestPayloadError, http_exceptions.HttpProcessingError):
        error = FieldError("body", "The request body could not be read", "body_unreadable")
        raise invalid_request((error,)) from None


async def _read_on(request: web.BaseRequest, settings: Server) -> bytes:
    """What still comes, not slower than Patience allows; bytes that we were too busy to read are no delay."""
    chunks: list[bytes] = []
    seconds, least = Patience(settings.receive_timeout).stretch
    left, stretch = settings.body_limit, least
    while left >= 0 and not request.content.at_eof():
        try:
            async with asyncio.timeout(seconds):
                while left >= 0 and stretch > 0 and (chunk := await request.content.readany()):
                    left, stretch = left - len(chunk), stretch - len(chunk)
                    chunks.append(chunk)
        except TimeoutError:
            taken = settings.body_limit - left
            if request.content.total_bytes <= taken and not has_unread(request.transport):
                raise input_timeout(settings.receive_timeout) from None
        stretch = least
    return _joined(chunks, settings.body_limit)


def _joined(chunks: list[bytes], limit: int) -> bytes:
    if sum(map(len, chunks)) > limit:
        raise _too_large(limit)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _check_headers(request: web.BaseRequest, limit: int, kind: re.Pattern[str]) -> None:
    if request.headers.get(hdrs.TRANSFER_ENCODING, "chunked").strip().lower() != "chunked":
        raise FramingError
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
    if encoding.lower() != "identity":
        raise GatewayError(
            Code.INPUT_UNSUPPORTED_MEDIA_TYPE, "Compressed request bodies are not accepted; send plain JSON"
        )
    sent = request.headers.get(hdrs.CONTENT_TYPE)
    if sent is not None and not kind.fullmatch(sent.partition(";")[0].strip()):
        wanted = "application/json" if kind is _JSON_TYPE else kind.pattern
        text = f"Unsupported content type; send 'Content-Type: {wanted}'"
        raise GatewayError(Code.INPUT_UNSUPPORTED_MEDIA_TYPE, text)
    if (request.content_length or 0) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> GatewayError:
    return GatewayError(Code.INPUT_TOO_LARGE, f"Request body is larger than {limit:,} bytes")

"""E: a failure → our status, headers and JSON body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import orjson

from gateway.edge.limit_headers import limit_headers, retry_header
from gateway.edge.operations import json_response
from gateway.errors import Code, FieldError, GatewayError, invalid_request

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.vocabulary import Facts, Json

STATUSES: dict[Code, int] = {
    Code.INPUT_MODEL_NOT_FOUND: 400,
    Code.INPUT_INVALID_LABELS: 400,
    Code.INPUT_LABEL_LIMIT_EXCEEDED: 400,
    Code.AUTH_MISSING_API_KEY: 401,
    Code.AUTH_INVALID_API_KEY: 401,
    Code.AUTH_INVALID_FORMAT: 401,
    Code.AUTHZ_INSUFFICIENT_BALANCE: 403,
    Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED: 403,
    Code.RESOURCE_NOT_FOUND: 404,
    Code.CONFLICT_RESOURCE_BUSY: 409,
    Code.RATE_REQUEST_LIMIT_EXCEEDED: 429,
    Code.RATE_TOKEN_LIMIT_EXCEEDED: 429,
    Code.RATE_CONCURRENCY_LIMIT_EXCEEDED: 429,
    Code.RATE_IP_LIMIT_EXCEEDED: 429,
    Code.INTERNAL_ERROR: 500,
    Code.SERVICE_UNAVAILABLE: 503,
    Code.SERVICE_TIMEOUT: 504,
    Code.INPUT_INVALID: 422,
    Code.INPUT_TOO_LARGE: 413,
    Code.INPUT_UNSUPPORTED_MEDIA_TYPE: 415,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.INPUT_TIMEOUT: 408,
}

_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_SERVER_ERROR = 500
_BAD_REQUEST = 400


class BadRequestError(GatewayError):
    """A wrong body of an operation for which the contract knows no 422."""

    @classmethod
    def of(cls, error: GatewayError) -> BadRequestError:
        """The same failure, with the other status."""
        return cls(error.code, error.message, remaining=error.remaining, errors=error.errors)


class FramingError(BadRequestError):
    """A request whose bytes another reader may cut differently: nothing more is read from its connection."""

    def __init__(self) -> None:
        field = FieldError("request", "Its transfer coding is not supported; send chunks, or a length", "http_invalid")
        super().__init__(Code.INPUT_INVALID, invalid_request((field,)).message, errors=(field,))


class BrokenOffError(GatewayError):
    """A failure after the head of the answer went out; `response` is what was begun, and takes no more."""

    def __init__(self, error: GatewayError, response: web.StreamResponse) -> None:
        super().__init__(error.code, error.message)
        self.response = response


def status_of(error: GatewayError) -> int:
    """The HTTP status of a failure (API contract)."""
    return _BAD_REQUEST if isinstance(error, BadRequestError) else STATUSES[error.code]


_TEI_TYPES = {413: "Validation", 422: "Validation", 424: "Backend", 429: "Overloaded"}

Shape: TypeAlias = Literal["superset", "contract", "cohere", "tei"]


def error_body(error: GatewayError, request_id: str, shape: Shape, status: int | None = None) -> bytes:
    """`{detail, code, request_id}`, `errors` on a 422, and what other clients read.

    In the superset that is OpenAI's object; on the routes of other dialects Cohere's `message`, or TEI's `error` and
    `error_type`.
    """
    body: dict[str, Json] = {"detail": error.message, "code": error.code.value, "request_id": request_id}
    status = status or status_of(error)
    if error.code is Code.INPUT_INVALID:
        body["errors"] = [
            {"field": entry.field, "message": entry.message, "type": entry.type, "input": entry.input}
            for entry in error.errors
        ]
    if shape == "superset":
        fallback = "server_error" if status >= _SERVER_ERROR else "invalid_request_error"
        body["error"] = {
            "message": error.message,
            "type": _OPENAI_TYPES.get(status, fallback),
            "code": error.code.value,
            "param": error.errors[0].field if error.errors else None,
        }
    elif shape == "cohere":
        body["message"] = error.message
    elif shape == "tei":
        fallback = "Unhealthy" if status >= _SERVER_ERROR else "Validation"
        body |= {"error": error.message, "error_type": _TEI_TYPES.get(status, fallback)}
    return orjson.dumps(body, default=lambda _: None)


_AUTHENTICATION = frozenset({Code.AUTH_MISSING_API_KEY, Code.AUTH_INVALID_API_KEY, Code.AUTH_INVALID_FORMAT})


_UNREAD = frozenset({Code.INPUT_TOO_LARGE, Code.INPUT_TIMEOUT})
"""The rest of the body is still to come, if at all."""


class MethodError(GatewayError):
    """The route exists, but not with that method."""

    def __init__(self, allowed: str) -> None:
        super().__init__(Code.METHOD_NOT_ALLOWED, f"Method not allowed; use {allowed}")
        self.allowed = allowed


def failure_headers(error: GatewayError) -> dict[str, str]:
    """What the head of an answer says of a failure."""
    headers = retry_header(error.retry_after)
    if isinstance(error, MethodError):
        headers["Allow"] = error.allowed
    if error.code in _AUTHENTICATION:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def failure_response(error: GatewayError, facts: Facts, shape: Shape) -> web.Response:
    """The whole answer to a request that failed."""
    headers = limit_headers(facts.remaining or error.remaining) | failure_headers(error)
    response = json_response(error_body(error, facts.request_id, shape), status_of(error), headers)
    if error.code in _UNREAD or isinstance(error, FramingError):
        response.force_close()
    return response

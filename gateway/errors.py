"""P: the closed family of failures: code, message for people, whether trying again helps. No HTTP in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.vocabulary import Json, Remaining


class Code(StrEnum):
    """Machine-readable codes. The first 17 are the API contract's; the last five are ours, for what it leaves open."""

    INPUT_MODEL_NOT_FOUND = "INPUT_MODEL_NOT_FOUND"
    INPUT_INVALID_LABELS = "INPUT_INVALID_LABELS"
    INPUT_LABEL_LIMIT_EXCEEDED = "INPUT_LABEL_LIMIT_EXCEEDED"
    AUTH_MISSING_API_KEY = "AUTH_MISSING_API_KEY"
    AUTH_INVALID_API_KEY = "AUTH_INVALID_API_KEY"
    AUTH_INVALID_FORMAT = "AUTH_INVALID_FORMAT"
    AUTHZ_INSUFFICIENT_BALANCE = "AUTHZ_INSUFFICIENT_BALANCE"
    AUTHZ_RESOURCE_LIMIT_EXCEEDED = "AUTHZ_RESOURCE_LIMIT_EXCEEDED"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    CONFLICT_RESOURCE_BUSY = "CONFLICT_RESOURCE_BUSY"
    RATE_REQUEST_LIMIT_EXCEEDED = "RATE_REQUEST_LIMIT_EXCEEDED"
    RATE_TOKEN_LIMIT_EXCEEDED = "RATE_TOKEN_LIMIT_EXCEEDED"  # noqa: S105 - an error code, not a secret
    RATE_CONCURRENCY_LIMIT_EXCEEDED = "RATE_CONCURRENCY_LIMIT_EXCEEDED"
    RATE_IP_LIMIT_EXCEEDED = "RATE_IP_LIMIT_EXCEEDED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    SERVICE_TIMEOUT = "SERVICE_TIMEOUT"

    INPUT_INVALID = "INPUT_INVALID"
    INPUT_TOO_LARGE = "INPUT_TOO_LARGE"
    INPUT_UNSUPPORTED_MEDIA_TYPE = "INPUT_UNSUPPORTED_MEDIA_TYPE"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    INPUT_TIMEOUT = "INPUT_TIMEOUT"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field: `field` is the contract's path form, `body -> MODEL -> FIELD`."""

    field: str
    message: str
    type: str
    input: Json = None


class GatewayError(Exception):
    """A failure with a code and a sentence that is safe to show to the client.

    `retry_after` is in seconds; `remaining` is what the tenant's windows still hold, where the failure knows it.
    `too_large`: it would be refused however long it waited, but its parts may pass.
    """

    def __init__(  # noqa: PLR0913 - what is known of a failure, each by name
        self,
        code: Code,
        message: str,
        *,
        retry_after: float | None = None,
        remaining: Remaining | None = None,
        errors: tuple[FieldError, ...] = (),
        too_large: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.remaining = remaining
        self.errors = errors
        self.too_large = too_large

    def again(self) -> GatewayError:
        """The same failure to raise once more: one object raised by many would collect all their tracebacks."""
        return GatewayError(
            self.code, self.message, retry_after=self.retry_after, errors=self.errors, too_large=self.too_large
        )

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later without change."""
        return self.code in _RETRYABLE


_RETRYABLE = frozenset(
    {
        Code.CONFLICT_RESOURCE_BUSY,
        Code.RATE_REQUEST_LIMIT_EXCEEDED,
        Code.RATE_TOKEN_LIMIT_EXCEEDED,
        Code.RATE_CONCURRENCY_LIMIT_EXCEEDED,
        Code.RATE_IP_LIMIT_EXCEEDED,
        Code.SERVICE_UNAVAILABLE,
        Code.SERVICE_TIMEOUT,
        Code.INPUT_TIMEOUT,
    }
)


def model_not_found(name: str) -> GatewayError:
    """Nothing here serves a model of that name on that endpoint."""
    return GatewayError(Code.INPUT_MODEL_NOT_FOUND, f"Model '{name}' not found")


def missing_api_key() -> GatewayError:
    """No Authorization header was sent."""
    return GatewayError(Code.AUTH_MISSING_API_KEY, "Authentication required: send 'Authorization: Bearer <API key>'")


def invalid_api_key() -> GatewayError:
    """The token is well-formed but nobody's."""
    return GatewayError(Code.AUTH_INVALID_API_KEY, "Invalid API key")


def invalid_auth_format() -> GatewayError:
    """The Authorization header is not `Bearer <token>`."""
    return GatewayError(Code.AUTH_INVALID_FORMAT, "Invalid authorization format: expected 'Bearer <API key>'")


def invalid_labels(message: str) -> GatewayError:
    """Labels of a classification or training call make no sense."""
    return GatewayError(Code.INPUT_INVALID_LABELS, message)


def label_limit_exceeded(current: int, limit: int) -> GatewayError:
    """More labels than the plan allows."""
    return GatewayError(
        Code.INPUT_LABEL_LIMIT_EXCEEDED,
        f"Label limit exceeded: {current} labels provided, maximum {limit} allowed for your plan",
    )


def insufficient_balance() -> GatewayError:
    """The tenant's balance or budget does not cover the call."""
    return GatewayError(Code.AUTHZ_INSUFFICIENT_BALANCE, "Insufficient account balance")


def resource_limit_exceeded(message: str = "Resource limit exceeded for your plan") -> GatewayError:
    """The plan allows no more of this resource."""
    return GatewayError(Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED, message)


def resource_not_found(kind: str, name: str) -> GatewayError:
    """Nothing of that kind and name is visible to the caller."""
    return GatewayError(Code.RESOURCE_NOT_FOUND, f"{kind} '{name}' not found or access denied")


def resource_busy(kind: str, name: str) -> GatewayError:
    """Somebody else is changing that resource now."""
    return GatewayError(Code.CONFLICT_RESOURCE_BUSY, f"{kind} '{name}' is currently being modified")


def request_limit_exceeded(current: int, limit: int, retry_after: float) -> GatewayError:
    """The minute's requests are used up."""
    return GatewayError(
        Code.RATE_REQUEST_LIMIT_EXCEEDED,
        f"Request rate limit exceeded: {current}/{limit} requests per minute",
        retry_after=retry_after,
    )


def token_limit_exceeded(current: int, limit: int, retry_after: float, asked: int = 0) -> GatewayError:
    """The minute's tokens do not cover the call; one that asks for more than all of them never fits."""
    message = f"Token rate limit exceeded: {current:,}/{limit:,} tokens per minute"
    if asked > limit:
        message += f"; this call alone may need {asked:,}, so send it in parts"
    large = asked > limit
    return GatewayError(Code.RATE_TOKEN_LIMIT_EXCEEDED, message, retry_after=retry_after, too_large=large)


def concurrency_limit_exceeded(current: int, limit: int, retry_after: float = 1.0) -> GatewayError:
    """As many requests as allowed are running already."""
    return GatewayError(
        Code.RATE_CONCURRENCY_LIMIT_EXCEEDED,
        f"Concurrency limit exceeded: {current}/{limit} concurrent requests",
        retry_after=retry_after,
    )


def ip_limit_exceeded(retry_after: float) -> GatewayError:
    """Too many calls from one address."""
    return GatewayError(Code.RATE_IP_LIMIT_EXCEEDED, "IP rate limit exceeded", retry_after=retry_after)


def internal_error() -> GatewayError:
    """A defect of ours; the log has the details under the request id."""
    return GatewayError(Code.INTERNAL_ERROR, "An unexpected error occurred")


def input_timeout(seconds: float) -> GatewayError:
    """A request whose head or body did not arrive in time."""
    return GatewayError(Code.INPUT_TIMEOUT, f"The request did not arrive within {seconds:g} seconds")


def service_unavailable(
    message: str = "Service temporarily unavailable", retry_after: float | None = 1.0
) -> GatewayError:
    """A part that the request needs is not there now."""
    return GatewayError(Code.SERVICE_UNAVAILABLE, message, retry_after=retry_after)


def service_timeout(timeout_seconds: float) -> GatewayError:
    """The request's deadline passed."""
    return GatewayError(Code.SERVICE_TIMEOUT, f"Request timed out after {timeout_seconds:g} seconds")


def invalid_request(errors: tuple[FieldError, ...]) -> GatewayError:
    """The body breaks the endpoint's schema."""
    if len(errors) == 1:
        detail = f"Validation error: '{errors[0].field}' {errors[0].message}"
    else:
        detail = f"Validation errors in {len(errors)} fields"
    return GatewayError(Code.INPUT_INVALID, detail, errors=errors)


class TransportError(Exception):
    """An outgoing call got no whole answer.

    `timed_out`: it took too long. `sent`: the other side may have seen the request, and may have done what it says.
    """

    def __init__(self, message: str, *, timed_out: bool = False, sent: bool = True) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.sent = sent


class AddressError(Exception):
    """An address that a client named leads where nobody may send us; the text completes "The address …" for it."""


class StoreError(Exception):
    """The store did not answer as it should: down, too slow, or refusing writes."""

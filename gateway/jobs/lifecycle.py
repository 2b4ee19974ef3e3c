"""P: what follows for a job when one of its calls fails, and the names of its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from gateway.errors import Code, GatewayError

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot
    from gateway.ports.jobs import Order
    from gateway.vocabulary import Caller

TIMEOUTS = 3
"""Times that a call may take too long before it is tried in halves; a single line is refused then."""

AWAY_SECONDS = 5.0
"""The least that a backend that is away is waited for."""

LONGEST_WAIT = 60.0
JITTER = 0.2
"""Most that chance adds to a wait, as a share of it: the chunks of a job are not to come back all at once."""

_RATES = frozenset(
    {Code.RATE_REQUEST_LIMIT_EXCEEDED, Code.RATE_TOKEN_LIMIT_EXCEEDED, Code.RATE_CONCURRENCY_LIMIT_EXCEEDED}
)
_HOPELESS = frozenset(
    {
        Code.AUTHZ_INSUFFICIENT_BALANCE,
        Code.AUTHZ_RESOURCE_LIMIT_EXCEEDED,
        Code.AUTH_INVALID_API_KEY,
        Code.AUTH_MISSING_API_KEY,
        Code.INPUT_MODEL_NOT_FOUND,
    }
)
"""What would be said of every other line of the job, too."""


class JobFailed(Exception):  # noqa: N818 - the end of a job, not a defect
    """The job is over; the sentence is for its owner."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Wait:
    """The same call again after that many seconds; `elsewhere`: any worker may make it, so nobody need wait for it."""

    seconds: float
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Halve:
    """Two calls instead, each with half of the lines."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The one line of the call goes to the error file."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The job is over."""


Verdict: TypeAlias = Wait | Halve | Refuse | Fail


def verdict(error: GatewayError, lines: int, tries: int, chance: float) -> Verdict:
    """What to do about a call of so many lines that failed for the `tries`-th time; `chance` is uniform in [0, 1).

    A limit is waited for, and so is a backend that is away, until the job expires. Whatever may be the doing of a
    single line is found by halving.
    """
    if error.code in _HOPELESS:
        return Fail()
    if error.code in _RATES and not error.too_large:
        return Wait(_longer(error.retry_after or 1.0, chance), elsewhere=True)
    if error.code is Code.SERVICE_UNAVAILABLE:
        return Wait(_longer(max(error.retry_after or 0.0, AWAY_SECONDS), chance), elsewhere=True)
    if error.code is Code.SERVICE_TIMEOUT and tries < TIMEOUTS:
        return Wait(_longer(1.0, chance))
    return Halve() if lines > 1 else Refuse()


def _longer(seconds: float, chance: float) -> float:
    return min(seconds, LONGEST_WAIT) * (1 + JITTER * chance)


def caller_of(snapshot: Snapshot, order: Order, now: int) -> Caller | None:
    """Who pays: whose key made the job, as long as that key is good; `now` is in seconds since 1970."""
    for caller in snapshot.directory.values():
        if (caller.tenant, caller.key_id) == (order.tenant, order.key_id):
            return caller if caller.expires is None or caller.expires > now else None
    return None


def folder(name: str) -> str:
    """What the names of all files of a job begin with."""
    return f"batches/{name}/"


def whole_input(name: str) -> str:
    """An input that came with the request, as JSON lines."""
    return f"{folder(name)}input.jsonl"


def part(name: str, kind: str, chunk: int) -> str:
    """One chunk's `input`, `output` or `errors`."""
    return f"{folder(name)}{kind}/{chunk:06}.jsonl"

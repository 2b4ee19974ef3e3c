"""P: who asks and what they are told: callers, calls, replies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.values import value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from gateway.vocabulary.content import Answer, ItemKey
    from gateway.vocabulary.limits import Limits, Meter


PASSTHROUGH = "passthrough"
"""Stands for all tenants behind keys that are passed through."""


class Stage(StrEnum):
    """The stages of a request; the same words are modules, metric labels, log fields and dashboard panels."""

    EDGE = "edge"
    AUTHENTICATE = "authenticate"
    VALIDATE = "validate"
    ADMIT = "admit"
    PLAN = "plan"
    DISPATCH = "dispatch"
    ASSEMBLE = "assemble"
    SETTLE = "settle"


class CacheScope(StrEnum):
    """Who may be answered from what a tenant paid for."""

    OFF = "off"
    TENANT = "tenant"
    ORG = "org"
    SHARED = "shared"


class Lane(StrEnum):
    """How urgent a call is: somebody waits for it, or it may take what the others leave."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the tenant behind a key, never the key itself.

    `meters` are what every call of this caller counts in; `by_endpoint` and `by_model` what calls of that endpoint or
    model count in, too.
    `weight` is the tenant's share of an upstream that several want, `queue_timeout` the seconds that a call may wait
    for that upstream's allowance.
    `timeout` is the seconds its calls may take that name no other time, None: what the server allows. `labels` is how
    many a classification may choose between; `classifiers` how many trained ones it may own, of
    `classifier_labels` each.
    From `expires` on (seconds since 1970) the key is refused. `credential` is a key of the caller's own that is passed
    through to the backend; it is nowhere else.
    """

    tenant: str
    org: str
    tier: str
    key_id: str
    limits: Limits
    cache_scope: CacheScope = CacheScope.ORG
    meters: tuple[Meter, ...] = ()
    by_endpoint: Mapping[str, Meter] = field(default_factory=dict)
    by_model: Mapping[str, Meter] = field(default_factory=dict)
    weight: float = 1.0
    queue_timeout: float = 30.0
    timeout: float | None = None
    labels: int = 256
    classifiers: int = 16
    classifier_labels: int = 16
    expires: int | None = None
    credential: str | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """What metrics call the tenant: there is no end of those behind keys that are passed through."""
        return self.tenant if self.credential is None else PASSTHROUGH


@dataclass(frozen=True, slots=True)
class Directives:
    """What a request says about the cache (RFC 9111 §5.2.1), and its salt.

    `no_cache`: ask anew, and remember; `no_store`: neither look nor remember; `only_if_cached`: ask nobody;
    `max_age`: seconds an answer may be old; `salt`: answers of another salt are not seen, like another scope's.
    """

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    salt: str = ""

    @property
    def wants_new(self) -> bool:
        """Whether an answer that is stored, or in flight, may not be new enough."""
        return self.no_cache or self.max_age is not None


def _stay() -> None:
    """Nobody watches the client."""


@value(frozen=True, slots=True)
class Call:
    """One HTTP request as the edge hands it over. `credentials` is the raw Authorization header, never logged.

    `read` gives the body's bytes and is called only for a caller that is known, so that nobody else can make us hold
    one; it raises GatewayError for bodies we do not take. `deadline` is in Clock.monotonic() seconds, `timeout` seconds
    after the call came; `chosen` says that the client named them. `lane` is how urgent the caller says it is.
    `partial`: it takes a reply without the inputs that the backend refuses. `depart` is called when a backend is asked:
    from then on a client that hangs up stops nothing. `caller` is who asks where that is known already, as for a job.
    """

    read: Callable[[], Awaitable[bytes]]
    credentials: str | None
    client: str
    request_id: str
    deadline: float
    directives: Directives = Directives()
    timeout: float = 120.0
    chosen: bool = False
    partial: bool = False
    depart: Callable[[], None] = _stay
    lane: Lane = Lane.INTERACTIVE
    caller: Caller | None = None

    def within(self, seconds: float | None) -> Call:
        """The same call with its tenant's own time limit, where the client named none and it is the shorter one."""
        if seconds is None or self.chosen or seconds >= self.timeout:
            return self
        return replace(self, deadline=self.deadline - self.timeout + seconds, timeout=seconds)


@value(frozen=True, slots=True)
class Remaining:
    """What is left of a tenant's windows in this minute (`None` = unlimited)."""

    requests: int | None
    tokens: int | None


@value(frozen=True, slots=True)
class Reply:
    """What the client gets on success: the body's bytes and the facts behind it.

    A large body has `pieces` instead of bytes, made while they are sent, to be gone through once.
    `hits` were stored, `misses` were asked, `duplicates` are copies of another input in the same list. `collapsed`:
    everything missing was being asked for by another request already. `refused` inputs are left out. `sources` is
    all that it is made of, where all was stored as it is.
    """

    body: bytes = b""
    pieces: Generator[bytes, None, None] | None = None
    hits: int = 0
    misses: int = 0
    duplicates: int = 0
    stored: bool = False
    collapsed: bool = False
    bypassed: bool = False
    refused: int = 0
    warnings: tuple[str, ...] = ()
    sources: tuple[tuple[ItemKey, Answer], ...] = ()

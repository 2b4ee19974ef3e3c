"""P: what notices need: a store that keeps them until they are delivered, and a way to post them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one address. `id` is the same at each try, so that the receiver can tell a repetition.

    `address` is the Webhook.id of a configuration or, for a `tenant` that is told about its jobs, the URL it named.
    `body` is JSON; `tries` counts those that were begun.
    """

    id: str
    address: str
    body: str
    tries: int = 0
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class DeadNotice:
    """A notice that nobody will send any more; `at` is in seconds since 1970, `why` is `gone` or `tries`."""

    notice: Notice
    at: int
    why: str


class Notices(Protocol):
    """Undelivered notices of all gateways on a store. Every method raises StoreError when the store cannot answer."""

    async def post(self, claim: str, ends: int | None, notices: Sequence[Notice]) -> bool:
        """Claim an occasion and keep its notices, due now; False, and nothing, if it was claimed before.

        A claim is forgotten a while after `ends` (seconds since 1970; None: never).
        """
        ...

    async def take(self, lease_seconds: float) -> Notice | None:
        """The notice that is due for the longest time, its try begun; nobody else is given it for the lease time."""
        ...

    async def put_off(self, notice: Notice, seconds: float) -> bool:
        """Due again after that; False if it was ended meanwhile."""
        ...

    async def end(self, notice: Notice, why: str = "") -> bool:
        """Delivered, or with a `why`, dead: then it is kept among the last dead ones. False if it was ended before."""
        ...

    async def dead(self) -> list[DeadNotice]:
        """The last dead notices, newest first."""
        ...

    async def revive(self) -> int:
        """Make all dead notices due now, as if never tried; how many. Each keeps its id."""
        ...


class Post(Protocol):
    """Posts to addresses of the operator's, or to those that clients named, each of which is checked then."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> int:
        """The reply's status; its body is ignored.

        Raises:
            TransportError: there is none within the time.
            AddressError: the address leads to where no client may send us.
        """
        ...

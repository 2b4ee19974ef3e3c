"""P: what the limiter needs of a store: statements, grants, the census of workers, rests of upstream keys."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from gateway.vocabulary import Meter


class Amounts(NamedTuple):
    """Of a meter's three limits: requests, tokens (or nano-dollars), slots of concurrency."""

    requests: int = 0
    tokens: int = 0
    slots: int = 0


NOTHING = Amounts()


class Spend(NamedTuple):
    """What was spent in one second (since 1970, by the store's clock or a little later)."""

    second: int
    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What a holder tells the store of a meter, and what it needs.

    `number` counts a holder's statements from 1; the same number again gets the same grant (idempotent). What is held
    counts as used until it is `released`; `spent` are seconds to charge instead. `idle` is held and not in use, so
    that it can be called back. `needed` is what waits, `least` the least that helps anybody, `wanted` what would be
    taken at most. `restored` is all that is held, when the store has lost it, and `spent` what it lacks; or when it was
    away so long that shares were spent (`rejoins`). Others may know more than the store then, too: nothing is granted
    for a moment, until all have told.
    `seed` is what the ledger has of a budget's period, for a store that has nothing of it.
    """

    meter: Meter
    holder: str
    number: int
    released: Amounts = NOTHING
    spent: tuple[Spend, ...] = ()
    idle: Amounts = NOTHING
    least: Amounts = NOTHING
    needed: Amounts = NOTHING
    wanted: Amounts = NOTHING
    restored: Amounts | None = None
    holders: int = 1
    leaves: bool = False
    seed: int | None = None
    rejoins: bool = False


class Outcome(StrEnum):
    """What became of a statement.

    TOLD: done. SPENT: done, and the window itself is full until `retry_after`. LOST: the store lacks something that
    this holder said; it is to tell that again. WAIT: others may give something back, or may know more than the store;
    ask again. UNSEEDED: the store knows nothing of this budget's period, and wants to be told with a `seed`.
    """

    TOLD = "told"
    SPENT = "spent"
    LOST = "lost"
    WAIT = "wait"
    UNSEEDED = "unseeded"


@dataclass(frozen=True, slots=True)
class Grant:
    """The store's answer to a statement.

    `used` is spent in the window that ends now (60 s, to one bucket) or held and in use. `short_of` is `requests`,
    `concurrency` or `tokens` when not even the least could be granted; `retry_after` is then in seconds, honest to one
    bucket (None: it does not age). `called_back`: idle amounts are wanted by others. `now` is the store's time in
    seconds. `known`, with LOST: the number of the holder's last statement that the store has, 0 for none.
    """

    outcome: Outcome
    granted: Amounts
    used: Amounts
    short_of: str | None
    retry_after: float | None
    called_back: bool
    now: float
    known: int = 0


class Census(NamedTuple):
    """The workers on a store: how many, which of them this is (from 0), the server's run id ('' unknown) and its time.

    Nobody has heard of a store whose workers are 0. `missing` of `former` workers may be spending their shares of
    limits, cut off, or may have spent them during an absence of the store and not told. `returning`: such an absence
    ended a moment ago. `age`: seconds that the server runs.
    """

    workers: int
    rank: int
    run: str
    now: float = 0.0
    missing: int = 0
    former: int = 1
    returning: bool = False
    age: float = inf


class QuotaStore(Protocol):
    """Windows and what workers hold of them. Every method raises StoreError when the store cannot answer."""

    async def exchange(self, statement: Statement, run: str = "", *, patient: bool = False) -> Grant:
        """Charge what was spent, take back what is released, and grant what the limits allow.

        `run` is the server's run id as the worker has known it for a while. A store that grants for the first time
        since it was restarted, and one that has forgotten a subject, is another run to somebody: it grants nothing for
        a moment, until all workers have told it what they know. `patient`: nobody who ran out is taken for
        dead, since nobody could speak while the store was away.
        """
        ...

    async def register(self, worker: str, seconds: float, predecessor: str = "") -> Census:
        """This worker lives, and counts as one for `seconds`, and for some minutes more until it leaves.

        `predecessor` is the worker whose place it has taken, which died.
        """
        ...

    async def leave(self, worker: str) -> None:
        """This worker ends, having told everything."""
        ...

    async def hit(self, counter: str, limit: int) -> float | None:
        """Count one event for `counter` (an address that failed to authenticate) in a 60 s window.

        None while at most `limit` happened, else the seconds to wait; a refused event is not counted.
        """
        ...

    async def ping(self) -> None:
        """Return if the store answers."""
        ...


class Pauses(Protocol):
    """How long keys at an upstream rest, for all workers and gateways that use them.

    Every method raises StoreError when the store cannot answer.
    """

    async def paused(self, name: str) -> float:
        """Seconds that a key is still to be left alone; 0 when it is not."""
        ...

    async def pause(self, name: str, seconds: float) -> None:
        """Leave a key alone for that long; a pause that ends later stays."""
        ...

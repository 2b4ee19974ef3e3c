"""P: what is passed through rather than answered here: an errand, and the gauge that reads its answer on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.config.snapshot import Route, Served
    from gateway.ports import Exchange
    from gateway.vocabulary import Job

BYTES_A_TOKEN = 4
"""Where nobody counted: bytes of UTF-8 that a token of common text takes."""


def estimated(size: int) -> int:
    """Tokens of so many bytes that nobody counted."""
    return -(-size // BYTES_A_TOKEN)


def authorization(credential: str | None) -> dict[str, str]:
    """The header of a key, if there is one."""
    return {"authorization": f"Bearer {credential}"} if credential else {}


class Gauge(Protocol):
    """Reads one answer on its way to the client.

    `failed` is set by an answer that ends in a failure of the backend's; what it said of that is not handed on.
    `counted` is what the backend says it counted, `prompt` that of the prompt alone; None as long as it has not said.
    `estimate` is what has been seen amounts to.
    """

    failed: bool
    counted: int | None
    prompt: int | None

    @property
    def estimate(self) -> int:
        """Tokens of what has come, by our own estimate."""
        ...

    def take(self, piece: bytes) -> bytes:
        """What of a stream may be handed on now that these bytes have come."""
        ...

    def end(self) -> bytes:
        """What is left when the stream has ended."""
        ...

    def whole(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Read an answer that came in one piece; False: it is not what it should be."""
        ...


@dataclass(frozen=True, slots=True)
class Errand:
    """One call that is passed through: what was checked of it, and how its answer is treated.

    `job` is its identity where it is `storable`, and what its prompt is estimated from where it has a `prompt`;
    `most` tokens are reserved beside that; where that is a `guess`, never more than a whole minute allows.
    `exchange` makes the base address and the call for a route and a key; `keeps` says which statuses beside 200 the
    client sees with their bodies, `hands_on` which headers. `blamed` is the field that a refusal of the input is about.
    """

    job: Job
    served: Served
    exchange: Callable[[Route, str | None], tuple[str, Exchange]]
    gauge: Gauge
    most: int
    blamed: str
    guess: bool = False
    prompt: bool = False
    storable: bool = False
    keeps: Callable[[int], bool] = lambda _: False
    hands_on: frozenset[str] = frozenset({"content-type"})

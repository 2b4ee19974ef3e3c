"""C: an answer on its way to the client: in one piece, or as it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.errors import service_unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.dispatch.passage import Flow
    from gateway.endpoints.passing import Gauge
    from gateway.vocabulary import Answer

WHOLE_BYTES = 67_108_864
"""Bytes of an answer that is no stream."""

OK = 200


class Client(Protocol):
    """Who is answered in pieces. Both raise ConnectionError once it is gone."""

    async def begin(self, headers: Mapping[str, str]) -> None:
        """The head of a stream; the limits' headers are of this moment."""
        ...

    async def write(self, piece: bytes) -> None:
        """Hand on some bytes at once, and wait while the client takes no more."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer in one piece. `hit`: it was stored; `stored`: it is now."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    hit: bool = False
    stored: bool = False


async def pass_on(flow: Flow, gauge: Gauge, client: Client) -> None:
    """Each piece as it comes.

    Raises:
        GatewayError: the backend broke off, or says that it failed.
        ConnectionError: the client is gone.
    """
    while piece := await flow.read():
        if passed := gauge.take(piece):
            await client.write(passed)
        if gauge.failed:
            raise service_unavailable("The backend broke off")
    if rest := gauge.end():
        await client.write(rest)


async def read(flow: Flow) -> bytes:
    """A whole body.

    Raises:
        GatewayError: it broke off, or is larger than WHOLE_BYTES.
    """
    pieces, size = [], 0
    while piece := await flow.read():
        pieces.append(piece)
        size += len(piece)
        if size > WHOLE_BYTES:
            raise service_unavailable("The backend's answer was not usable")
    return b"".join(pieces)


def page(stored: Answer) -> Whole:
    """An answer that was stored."""
    headers = {"content-type": stored.extra.decode("ascii"), "x-usage-tokens": str(stored.tokens)}
    return Whole(OK, headers, stored.payload, hit=True)

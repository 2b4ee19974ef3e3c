"""P: answers that are passed on while they come: an open stream, and what opens one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.ports.outside import Exchange


class Stream(Protocol):
    """An answer whose head has come; header names are lower case."""

    @property
    def status(self) -> int:
        """HTTP's."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The head."""
        ...

    async def read(self, timeout_seconds: float) -> bytes:
        """What has come, as soon as something has; empty at the end. Raises TransportError: broken off, or late."""
        ...

    def close(self) -> None:
        """Want no more of it: the other side sees the connection end, unless the answer had ended before."""
        ...


class StreamingTransport(Protocol):
    """Opens answers of addresses that the configuration names."""

    async def open(self, base: str, exchange: Exchange, timeout_seconds: float) -> Stream:
        """The answer's head, whatever its status; `exchange.path` is appended to `base` as it is.

        Raises TransportError when there is none within the time.
        """
        ...

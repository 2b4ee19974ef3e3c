"""E: whether bytes that came lie in the system still, because this process was too busy to read them."""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import BaseTransport

_INT = struct.Struct("@i")


def has_unread(transport: BaseTransport | None) -> bool:
    """Whether a client sent what nobody has read: it is not the one who is late then. False where nobody knows."""
    peer = None if transport is None else transport.get_extra_info("socket")
    try:
        return peer is not None and any(fcntl.ioctl(peer.fileno(), termios.FIONREAD, bytes(_INT.size)))
    except OSError:
        return False

"""E: the one listening socket that all workers share."""

from __future__ import annotations

import errno
import socket

from gateway.processes.problem import StartError

BACKLOG = 1024


SERVED = ("--host", "--port")
ADMINISTERED = ("admin.host", "admin.port")
"""What to change when an address can't be had: options of the command, or settings."""


def bind(host: str, port: int, settings: tuple[str, str] = SERVED) -> socket.socket:
    """A bound TCP socket that does not listen yet; port 0 takes a free one.

    SO_REUSEADDR lets a restart take the port over at once; without SO_REUSEPORT a second gateway is refused.

    Raises:
        StartError: the address is in use, not this machine's, or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartError(f"can't listen on {host}: {error.strerror}; choose another {settings[0]}") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _refused(host, port, error, settings) from error
    return listener


def listen(listener: socket.socket, settings: tuple[str, str] = SERVED) -> None:
    """Let clients connect; what no worker has accepted yet waits in the backlog.

    Raises:
        StartError: another process began to listen there since `bind`.
    """
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        host, port = listener.getsockname()[:2]
        raise _refused(host, port, error, settings) from error


def address(listener: socket.socket) -> str:
    """`http://host:port` for a client on this machine: an address for all interfaces becomes the loopback one."""
    host, port = listener.getsockname()[:2]
    local = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)  # noqa: S104 - recognised, not bound
    return f"http://{local or (f'[{host}]' if ':' in host else host)}:{port}"


def _refused(host: str, port: int, error: OSError, settings: tuple[str, str]) -> StartError:
    for_host, for_port = settings
    if error.errno == errno.EADDRINUSE:
        return StartError(f"port {port} on {host} is in use; choose another with {for_port} (0 takes a free one)")
    if error.errno == errno.EACCES:
        return StartError(f"port {port} on {host} needs privileges; choose another with {for_port}")
    return StartError(f"can't listen on {host} port {port}: {error.strerror}; choose another {for_host} or {for_port}")

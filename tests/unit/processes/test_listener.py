from __future__ import annotations

import socket
from contextlib import closing

import pytest

from gateway.processes.listener import address, bind, listen
from gateway.processes.problem import StartError


def test_port_0_takes_a_free_port_and_clients_can_connect() -> None:
    with closing(bind("127.0.0.1", 0)) as listener:
        listen(listener)
        port = listener.getsockname()[1]
        assert address(listener) == f"http://127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_port_in_use_is_refused_with_the_remedy() -> None:
    with closing(bind("127.0.0.1", 0)) as first:
        listen(first)
        port = first.getsockname()[1]
        with pytest.raises(StartError, match=rf"port {port} on 127.0.0.1 is in use; choose another with --port"):
            bind("127.0.0.1", port)


def test_a_port_taken_between_bind_and_listen_is_refused() -> None:
    with closing(bind("127.0.0.1", 0)) as first, closing(bind("127.0.0.1", first.getsockname()[1])) as second:
        listen(first)
        with pytest.raises(StartError, match="is in use"):
            listen(second)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_of_somebody_else_is_refused(host: str) -> None:
    with pytest.raises(StartError, match=f"can't listen on {host}.*--host"):
        bind(host, 0)


def test_all_interfaces_are_shown_as_loopback() -> None:
    with closing(bind("0.0.0.0", 0)) as listener:  # noqa: S104 - the case under test
        assert address(listener).startswith("http://127.0.0.1:")

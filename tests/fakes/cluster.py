"""E: a real Redis Cluster: three primaries on loopback, without replicas."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis import Redis
from redis.exceptions import ConnectionError as NotYetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NODES = 3
SLOTS = 16_384
PATIENCE = 10.0


@contextmanager
def running_cluster(binary: str) -> Iterator[str]:
    """The address of one of its nodes."""
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as folder, ExitStack() as stack:
        ports = _free_ports(2 * NODES)
        pairs = list(zip(ports[:NODES], ports[NODES:], strict=True))
        for port, bus in pairs:
            stack.enter_context(_node(binary, Path(folder) / str(port), port, bus))
        nodes = [stack.enter_context(closing(Redis(port=port, protocol=2))) for port in ports[:NODES]]
        _form(nodes, pairs)
        yield f"redis://127.0.0.1:{ports[0]}"


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


@contextmanager
def _node(binary: str, folder: Path, port: int, bus: int) -> Iterator[None]:
    folder.mkdir()
    options = {"port": port, "cluster-port": bus, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
    options |= {"cluster-enabled": "yes", "cluster-node-timeout": 5_000}
    argv = [binary, *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _form(nodes: Sequence[Redis], ports: Sequence[tuple[int, int]]) -> None:
    for node in nodes:
        _until(partial(_answers, node))
    step = -(-SLOTS // NODES)
    for number, node in enumerate(nodes):
        _ask(node, "CLUSTER SET-CONFIG-EPOCH", number + 1)
        _ask(node, "CLUSTER ADDSLOTSRANGE", number * step, min((number + 1) * step, SLOTS) - 1)
    # Everybody meets everybody, which is quicker than gossip.
    for node in nodes:
        for port, bus in ports:
            _ask(node, "CLUSTER MEET", "127.0.0.1", port, bus)
    _until(lambda: all(_whole(node) for node in nodes))


def _answers(node: Redis) -> bool:
    try:
        return bool(node.ping())
    except NotYetError:
        return False


def _whole(node: Redis) -> bool:
    """Whether a node serves, and knows all others under the name that they have."""
    said = _ask(node, "CLUSTER INFO")
    return bool(said["cluster_state"] == "ok" and int(said["cluster_known_nodes"]) == NODES)


def _ask(node: Redis, *command: str | int) -> Any:
    return node.execute_command(*command)  # type: ignore[no-untyped-call] # the library's


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        if time.monotonic() > deadline:
            raise RuntimeError("the cluster did not form")
        time.sleep(0.02)

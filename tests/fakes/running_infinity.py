"""E: `infinity_emb` as a process of its own environment, with its debug engine: no weights, and vectors that tell their
text's length.
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(sys.prefix) / "infinity" / "bin" / "infinity_emb"
MODEL = "debug-model"
PREFIX = "/v1"
PATIENCE = 90.0


@contextmanager
def running_infinity() -> Iterator[str]:
    """Its address, with the prefix of its routes, once it serves."""
    if not PROGRAM.exists():
        pytest.skip(f"no Infinity in {PROGRAM.parents[1]}: `make test` installs it, and says why when it cannot")
    port = _free_port()
    command = [str(PROGRAM), "v2", "--engine", "debugengine", "--model-id", MODEL, "--url-prefix", PREFIX]
    command += ["--host", "127.0.0.1", "--port", str(port), "--no-model-warmup"]
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as folder, (Path(folder) / "log").open("w+b") as log:
        # Nothing is downloaded, and nobody is told that it runs.
        environment = {"PATH": str(PROGRAM.parent), "HOME": folder, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
        environment |= {"INFINITY_ANONYMOUS_USAGE_STATS": "0", "INFINITY_PORT": str(port)}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
        try:
            _wait_until_serving(process, port, Path(log.name))
            yield f"http://127.0.0.1:{port}{PREFIX}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_serving(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
            try:
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
        time.sleep(0.05)
    raise RuntimeError(f"Infinity did not start: {log.read_text()}")

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("onnxruntime", reason="the extra `local` is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0


@contextmanager
def model_server(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real process on a unix socket, once it has said that it serves."""
    read_fd, write_fd = os.pipe()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gateway.processes.local_model", "--socket", str(path)),
            *("--parent", str(os.getpid()), "--ready-fd", str(write_fd)),
        ],
        pass_fds=(write_fd,),
        stdin=subprocess.PIPE,
    )
    os.close(write_fd)
    try:
        assert os.read(read_fd, 1) == b"1"
        yield process
    finally:
        os.close(read_fd)
        process.kill()
        process.communicate(timeout=PATIENCE)


def call(path: Path, method: str, route: str, body: object = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("local", timeout=PATIENCE)
    with closing(socket.socket(socket.AF_UNIX)) as raw:
        raw.connect(str(path))
        connection.sock = raw
        connection.request(method, route, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_process_serves_real_vectors_privately_and_stops_at_once_when_told() -> None:
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as folder:
        path = Path(folder) / "model.sock"
        with model_server(path) as process:
            assert path.stat().st_mode & 0o777 == 0o600
            assert call(path, "GET", "/health") == (200, b"")
            texts = ["A cat sleeps.", "Shares fell."]
            status, body = call(path, "POST", "/rerank", {"query": "an animal at rest", "texts": texts})
            assert status == 200
            assert json.loads(body)[0]["index"] == 0
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            assert not path.exists()


def test_a_long_computation_does_not_hold_up_the_end() -> None:
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as folder:
        path = Path(folder) / "model.sock"
        with model_server(path) as process, closing(socket.socket(socket.AF_UNIX)) as busy:
            busy.connect(str(path))
            body = json.dumps({"inputs": ["word " * 300] * 32, "truncate": True}).encode()
            busy.sendall(b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            assert call(path, "GET", "/health") == (200, b"")
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            assert busy.recv(1) == b""

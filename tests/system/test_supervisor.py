from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30.0

CONFIG = "{server: {port: %d, workers: %d, data_dir: '%s'}, backends: {j: {dialect: jina, url: 'http://h', key: k}}}"

SUPERVISOR = """
import sys
from gateway.config.parse import parse
from gateway.processes.problem import StartError
from gateway.processes.tree import serve
try:
    serve(parse(sys.argv[1], "test", {}), (sys.executable, sys.argv[2]))
except StartError as error:
    sys.exit(f"gateway: {error}")
"""

WORKER = """
import argparse, http.server, json, os, signal, socket, sys
from gateway.launch import Launch
from gateway.processes.leash import announce_ready, follow_parent
parser = argparse.ArgumentParser()
for name in ("listen", "ready"):
    parser.add_argument(f"--{name}-fd", type=int)
parser.add_argument("--parent", type=int)
options = parser.parse_args()
launch = Launch.from_json(sys.stdin.readline())
follow_parent(options.parent)
if os.environ.get("WORKER_FAILS"):
    sys.exit(7)
if os.environ.get("WORKER_STAYS"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"pid": os.getpid(), "store": launch.store_url, "worker": launch.worker}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("", 0), Answer, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=options.listen_fd)
announce_ready(options.ready_fd)
server.serve_forever()
"""


class Gateway:
    """A supervisor with a worker that only says who it is; both its output streams are read as one."""

    def __init__(self, process: subprocess.Popen[str], data_dir: Path) -> None:
        self.process = process
        self.data_dir = data_dir
        self.url = ""

    def read_until(self, part: str) -> str:
        """What is said up to the first line with `part`; the watchdog ends a silent process."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if part in line:
                return "".join(lines)
        raise AssertionError(f"{part!r} never came:\n{''.join(lines)}")

    def ends(self) -> tuple[int, str]:
        """Exit code and the rest of what it said."""
        rest, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, rest

    def pid(self, child: str) -> int:
        return int((self.data_dir / "run" / f"{child}.pid").read_text())

    def ask(self) -> dict[str, object]:
        with urllib.request.urlopen(self.url, timeout=PATIENCE) as answer:  # noqa: S310 - our own address
            found: dict[str, object] = json.load(answer)
            return found

    def store(self, *command: str) -> bytes:
        """One command to the store, as its socket answers it."""
        path = str(self.ask()["store"]).removeprefix("unix://")
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(path)
            connection.sendall((" ".join(command) + "\r\n").encode())
            return connection.recv(4096)

    def keep(self, name: str, value: str) -> None:
        """Set a value and wait until it is in the append-only file: it is synced every second, not on each write."""
        path = str(self.ask()["store"]).removeprefix("unix://")
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(path)
            connection.sendall(f"SET {name} {value}\r\nWAITAOF 1 0 0\r\n".encode())
            replies = b""
            while replies.count(b"\r\n") < 4:  # +OK, *2, and two numbers
                replies += connection.recv(4096)
            assert replies == b"+OK\r\n*2\r\n:1\r\n:0\r\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as path:
        (Path(path) / "worker.py").write_text(WORKER)
        yield Path(path)


@contextmanager
def launched(
    folder: Path, *, data: str = "data", port: int = 0, workers: int = 1, env: dict[str, str] | None = None
) -> Iterator[Gateway]:
    data_dir = folder / data
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, CONFIG % (port, workers, data_dir), str(folder / "worker.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(env or {})},
    )
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        yield Gateway(process, data_dir)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate(timeout=PATIENCE)


@contextmanager
def serving(
    folder: Path, *, data: str = "data", workers: int = 1, env: dict[str, str] | None = None
) -> Iterator[Gateway]:
    with launched(folder, data=data, workers=workers, env=env) as gateway:
        said = gateway.read_until("Key:")
        gateway.url = said.partition("serves on ")[2].split()[0]
        yield gateway


def test_it_serves_until_sigterm_and_leaves_no_process_and_no_socket(folder: Path) -> None:
    with serving(folder, workers=2) as gateway:
        children = psutil.Process(gateway.process.pid).children(recursive=True)
        assert {gateway.pid(name) for name in ("store", "worker-0", "worker-1")} == {child.pid for child in children}
        assert gateway.ask()["pid"] in {gateway.pid("worker-0"), gateway.pid("worker-1")}
        gateway.process.terminate()
        code, said = gateway.ends()
        assert (code, said.strip()) == (0, "gateway: SIGTERM: stopping")
        assert not psutil.wait_procs(children, PATIENCE)[1]
        assert {path.name for path in (gateway.data_dir / "run").iterdir()} <= {"metrics"}
        assert "bye bye" in (gateway.data_dir / "store" / "valkey.log").read_text()


def test_a_dead_worker_is_replaced_and_the_log_says_so(folder: Path) -> None:
    with serving(folder) as gateway:
        before = gateway.pid("worker-0")
        os.kill(before, signal.SIGKILL)
        said = gateway.read_until("serves again")
        assert f"gateway: worker-0 (pid {before}) ended with signal 9; starting it again in 0.1 s" in said
        assert gateway.ask()["pid"] == gateway.pid("worker-0") != before


def test_a_dead_store_comes_back_with_its_data_on_the_same_socket(folder: Path) -> None:
    with serving(folder) as gateway:
        socket_path = gateway.ask()["store"]
        gateway.keep("kept", "value")
        before = gateway.pid("store")
        os.kill(before, signal.SIGKILL)
        assert f"store (pid {before}) ended with signal 9" in gateway.read_until("store serves again")
        assert gateway.store("GET", "kept") == b"$5\r\nvalue\r\n"
        assert gateway.ask()["store"] == socket_path


def test_a_killed_supervisor_leaves_no_orphans_and_the_next_start_has_the_same_data_and_key(folder: Path) -> None:
    with serving(folder) as gateway:
        gateway.keep("kept", "value")
        key = (gateway.data_dir / "dev-key").read_text()
        assert (gateway.data_dir / "dev-key").stat().st_mode & 0o777 == 0o600
        children = psutil.Process(gateway.process.pid).children(recursive=True)
        assert len(children) == 2
        gateway.process.kill()
        gateway.ends()
        if sys.platform == "linux":
            assert not psutil.wait_procs(children, PATIENCE)[1]
    with serving(folder) as gateway:
        assert gateway.store("GET", "kept") == b"$5\r\nvalue\r\n"
        assert (gateway.data_dir / "dev-key").read_text() == key


def test_a_second_gateway_on_the_same_data_directory_is_refused(folder: Path) -> None:
    with serving(folder) as first, launched(folder) as second:
        code, said = second.ends()
        assert code == 1
        assert said == (
            f"gateway: another gateway (pid {first.process.pid}) uses the data directory {first.data_dir}; "
            "stop it, or name another with --data-dir\n"
        )
        assert first.ask()["worker"] == 0


def test_a_port_in_use_is_refused_before_anything_starts(folder: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with launched(folder, port=port) as gateway:
            code, said = gateway.ends()
    assert code == 1
    assert said.startswith(f"gateway: port {port} on 127.0.0.1 is in use")
    assert not (folder / "data" / "store").exists()


def test_a_worker_that_cannot_start_ends_the_start_and_the_store(folder: Path) -> None:
    with launched(folder, env={"WORKER_FAILS": "1"}) as gateway:
        code, said = gateway.ends()
        assert code == 1
        assert "gateway: worker-0 ended before it served (exit code 7)" in said
        assert "bye bye" in (gateway.data_dir / "store" / "valkey.log").read_text()


def test_a_program_that_is_no_store_is_refused(folder: Path) -> None:
    with launched(folder, env={"GATEWAY_STORE_BINARY": "/bin/true"}) as gateway:
        code, said = gateway.ends()
        assert code == 1
        assert "GATEWAY_STORE_BINARY=/bin/true does not run" in said


def test_a_data_directory_with_a_long_path_works(folder: Path) -> None:
    with serving(folder, data="d" * 120) as gateway:
        path = Path(str(gateway.ask()["store"]).removeprefix("unix://"))
        assert gateway.data_dir not in path.parents
        assert gateway.store("PING") == b"+PONG\r\n"
        gateway.process.terminate()
        assert gateway.ends()[0] == 0
        assert not path.parent.exists()


def test_a_second_interrupt_ends_everything_at_once(folder: Path) -> None:
    with serving(folder, env={"WORKER_STAYS": "1"}) as gateway:
        children = psutil.Process(gateway.process.pid).children(recursive=True)
        gateway.process.send_signal(signal.SIGINT)
        gateway.read_until("SIGINT: stopping")
        gateway.process.send_signal(signal.SIGINT)
        code, said = gateway.ends()
        assert code == 0
        assert "stopping at once" in said
        assert not psutil.wait_procs(children, PATIENCE)[1]


def test_sigterm_during_the_start_ends_it(folder: Path) -> None:
    with launched(folder) as gateway:
        gateway.read_until("starting")
        gateway.process.terminate()
        code, said = gateway.ends()
        assert code == 0
        assert "SIGTERM: stopping" in said

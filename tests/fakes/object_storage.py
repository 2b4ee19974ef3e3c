"""E: servers that speak the protocols of object storage, on a free port of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from moto.server import ThreadedMotoServer

from gateway.stores.objects import filesystem

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "jobs-of-tests"
S3_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_PATIENCE = 30.0


@contextmanager
def running_s3() -> Iterator[str]:
    """Moto as a server; its address."""
    os.environ.update(S3_ENVIRONMENT)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        filesystem("s3", url).makedirs(BUCKET, exist_ok=True)
        yield url
    finally:
        server.stop()
        for name in S3_ENVIRONMENT:
            os.environ.pop(name, None)


@contextmanager
def running_gcs() -> Iterator[str]:
    """An emulator of Google's as a process; its address. Nobody asks for credentials there."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host=127.0.0.1", f"--port={port}"]
    command += ["--in-memory", f"--default-bucket={BUCKET}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{port}"
    try:
        _wait(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.environ.pop("STORAGE_EMULATOR_HOST", None)
        process.terminate()
        process.wait(_PATIENCE)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the storage did not start")

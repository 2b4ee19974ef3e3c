"""A store of its own for a measurement: the server that the gateway ships with, on a unix socket."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.processes.embedded_store import find_binary

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running_store() -> Iterator[str]:
    """The address of an empty one."""
    with tempfile.TemporaryDirectory(prefix="gws", dir="/tmp") as folder:
        path = Path(folder) / "s"
        options = ["--port", "0", "--unixsocket", str(path), "--dir", folder, "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([str(find_binary(os.environ).path), *options], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait(10)

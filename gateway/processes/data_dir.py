"""E: the data directory: its lock, its folders, the developer's key file, short socket paths."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gateway.processes.problem import StartError

if TYPE_CHECKING:
    from types import TracebackType

SOCKET_PATH_BYTES = 100
"""Unix sockets take 104 bytes (macOS) or 108 (Linux) with the closing zero."""

_LONGEST_SOCKET_NAME = "model.sock"
_ELSEWHERE = "sockets"

STORE_SOCKET = "store.sock"


def running_socket(data_dir: Path, name: str) -> Path:
    """Where the gateway that runs with that data directory has its unix socket `name` (DataDir.socket)."""
    run = data_dir.absolute() / "run"
    with contextlib.suppress(OSError):
        return (run / _ELSEWHERE).readlink() / name
    return run / name


class DataDir:
    """The locked folder of one running gateway; a context manager that unlocks and tidies up.

    run/: one <child>.pid each, sockets, merged metrics. store/: the embedded store. dev-key: the first key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.run = self.path / "run"
        self.dev_key = self.path / "dev-key"
        self._lock = -1
        self._short: Path | None = None

    def __enter__(self) -> Self:
        """Make, protect and lock the folder.

        Raises:
            StartError: another gateway uses it, or it can't be written.
        """
        try:
            self._prepare()
        except OSError as error:
            raise StartError(
                f"can't use the data directory {self.path}: {error.strerror}; name another with --data-dir"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove what only a running gateway needs, then unlock."""
        for name in (*self.run.glob("*.pid"), *self.run.glob("*.sock"), self.run / _ELSEWHERE):
            with contextlib.suppress(OSError):
                name.unlink()
        if self._short is not None:
            shutil.rmtree(self._short, ignore_errors=True)
        os.close(self._lock)

    def _prepare(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self.path / "lock"
        if lock.exists() or not any(self.path.iterdir()):  # never take away the access to a folder of other things
            self.path.chmod(0o700)
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._lock, 32).decode(errors="replace").strip()
            os.close(self._lock)
            raise StartError(
                f"another gateway (pid {owner or 'unknown'}) uses the data directory {self.path}; "
                "stop it, or name another with --data-dir"
            ) from error
        os.ftruncate(self._lock, 0)
        os.write(self._lock, f"{os.getpid()}\n".encode())
        self.run.mkdir(mode=0o700, exist_ok=True)
        self.run.chmod(0o700)

    def pid_file(self, child: str) -> Path:
        """Where a child's process id is written."""
        return self.run / f"{child}.pid"

    def socket(self, name: str) -> Path:
        """A path for the unix socket `name`, the same for this object's life: below run/, or where paths are shorter.

        Raises:
            StartError: the folder for temporary files has a long path, too.
        """
        if len(os.fsencode(self.run / _LONGEST_SOCKET_NAME)) <= SOCKET_PATH_BYTES:
            return self.run / name
        if self._short is None:
            self._short = Path(tempfile.mkdtemp(prefix="gateway-"))
            (self.run / _ELSEWHERE).unlink(missing_ok=True)
            (self.run / _ELSEWHERE).symlink_to(self._short)
        path = self._short / name
        if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
            raise StartError(f"{path} is too long for a unix socket; set TMPDIR to a shorter path")
        return path

    def metrics(self) -> Path:
        """An empty folder for the metrics that several workers merge."""
        folder = self.run / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def read_dev_key(self) -> str | None:
        """The developer's key of an earlier start, None on the first."""
        try:
            return self.dev_key.read_text().strip() or None
        except FileNotFoundError:
            return None

    def write_dev_key(self, key: str) -> None:
        """Keep the developer's key, readable by its owner only from the first byte on."""
        draft = self.path / "dev-key.new"
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
        draft.replace(self.dev_key)

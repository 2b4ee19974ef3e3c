"""E: files of jobs on the local disk (ports.files): whole or not at all, also after a crash of the machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from gateway.errors import StoreError
from gateway.jobs.file_names import checked, checked_prefix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_DRAFT = ".draft-"
_ATTEMPTS = 3
"""A folder that was just made may be removed by a `delete` before there is anything in it."""


class LocalFiles:
    """ports.files.Files below a folder, which is made at the first `put`; nobody but its owner may read them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, name: str, content: bytes) -> None:
        """As Files.put. Raises StoreError: the disk is full, or not ours to write."""
        await _in_thread(_write, self._root / checked(name), content)

    async def get(self, name: str) -> bytes | None:
        """As Files.get. Raises StoreError."""
        return await _in_thread(_read, self._root / checked(name), None)

    async def delete(self, prefix: str) -> None:
        """As Files.delete. Raises StoreError."""
        folder, _, beginning = checked_prefix(prefix).rpartition("/")
        await _in_thread(_remove, self._root / folder, beginning)


async def _in_thread(work: Callable[[Path, Argument], Result], path: Path, argument: Argument) -> Result:
    try:
        return await asyncio.to_thread(work, path, argument)
    except OSError as error:
        raise StoreError(f"the disk: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, draft = tempfile.mkstemp(prefix=_DRAFT, dir=path.parent)
        except FileNotFoundError:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            _fill(number, draft, path, content)
            return


def _fill(number: int, draft: str, path: Path, content: bytes) -> None:
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105 - the draft is a text, as mkstemp gives it
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)  # noqa: PTH108 - as above
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """The new name itself must be on the disk, too."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _read(path: Path, _: None) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _remove(folder: Path, beginning: str) -> None:
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if not entry.name.startswith(beginning):
            continue
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    if not beginning:
        with suppress(OSError):  # somebody has put something there meanwhile
            folder.rmdir()

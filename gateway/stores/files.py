"""E: files of jobs on the local disk (ports.files): whole or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class LocalFiles:
    """ports.files.Files below a folder, which is made at the first `put`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, name: str, content: bytes) -> None:
        """As Files.put."""
        await asyncio.to_thread(_write, self._root / name, content)

    async def get(self, name: str) -> bytes | None:
        """As Files.get."""
        path = self._root / name
        return await asyncio.to_thread(lambda: path.read_bytes() if path.is_file() else None)

    async def delete(self, prefix: str) -> None:
        """As Files.delete, for a folder or one file."""
        await asyncio.to_thread(shutil.rmtree, self._root / prefix, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)

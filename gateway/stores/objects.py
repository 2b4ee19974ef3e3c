"""E: object storage by fsspec, in threads: files of jobs (ports.files), and objects that clients name as input."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from gateway.errors import StoreError
from gateway.jobs.file_names import checked, checked_prefix

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
Filesystem: TypeAlias = Any
"""An fsspec.AbstractFileSystem; fsspec is there only with an extra, and has no types."""

_FRESH = {"use_listings_cache": False, "skip_instance_cache": True}
"""Others write to the bucket, too: nothing is remembered of what it has."""

_IMPLEMENTATIONS = {"s3": ("s3fs", "s3fs", "S3FileSystem"), "gs": ("gcsfs", "gcsfs.core", "GCSFileSystem")}
"""Package, module and class by scheme. gcsfs's own choice of a class asks each bucket for its kind over gRPC first."""

EXTRAS = {"s3": "s3", "gs": "gcs"}
"""The extra of this package that brings what a scheme needs."""


def missing_extra(location: str) -> str | None:
    """The extra that must be installed for a location (`s3://…`, `gs://…`), None when it is there."""
    scheme = location.partition("://")[0]
    known = _IMPLEMENTATIONS.get(scheme)
    return EXTRAS[scheme] if known is not None and find_spec(known[0]) is None else None


def filesystem(scheme: str, endpoint: str | None = None) -> Filesystem:
    """The storage of a scheme. Credentials come from where its own tools look for them: environment, files, machine.

    `endpoint` is for storage elsewhere that speaks the same protocol. The import takes a second: once, at the start.

    Raises:
        StoreError: the extra is not installed.
    """
    package, module, name = _IMPLEMENTATIONS[scheme]
    if find_spec(package) is None:
        raise StoreError(f"{scheme}:// needs the extra `gateway[{EXTRAS[scheme]}]`")
    options: dict[str, Any] = {**_FRESH}
    if endpoint is not None:
        options["endpoint_url"] = endpoint
    return getattr(import_module(module), name)(**options)


class ObjectFiles:
    """ports.files.Files below `root`, a bucket and perhaps a prefix in it without slashes around: `bucket/jobs`."""

    def __init__(self, storage: Filesystem, root: str) -> None:
        self._storage = storage
        self._root = root.strip("/")

    async def put(self, name: str, content: bytes) -> None:
        """As Files.put: an object appears when all of it has come. Raises StoreError."""
        await self._ask(self._storage.pipe_file, f"{self._root}/{checked(name)}", content)

    async def get(self, name: str) -> bytes | None:
        """As Files.get. Raises StoreError."""
        return await self._ask(_content, self._storage, f"{self._root}/{checked(name)}")

    async def delete(self, prefix: str) -> None:
        """As Files.delete. Raises StoreError."""
        await self._ask(_remove, self._storage, f"{self._root}/{checked_prefix(prefix)}")

    async def _ask(self, work: Callable[..., Result], *arguments: object) -> Result:
        try:
            return await asyncio.to_thread(work, *arguments)
        except Exception as error:  # each storage raises errors of its own kinds; none is to be quoted
            raise StoreError(f"object storage: {type(error).__name__}") from error


def _content(storage: Filesystem, path: str) -> bytes | None:
    try:
        content: bytes = storage.cat_file(path)
    except FileNotFoundError:
        return None
    return content


def _remove(storage: Filesystem, prefix: str) -> None:
    folder = prefix.rpartition("/")[0]
    try:
        found = [path for path in storage.find(folder) if path.lstrip("/").startswith(prefix)]
    except FileNotFoundError:
        return
    if found:
        storage.rm(found)

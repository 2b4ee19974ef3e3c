"""E: input of jobs from where a client says it is (ports.files.InputSource): http(s), or allowed object storage."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gateway.errors import AddressError, TransportError
from gateway.guard import check_object, is_storage
from gateway.jobs.line_splitter import LineSplitter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

    from gateway.fetch import Fetcher
    from gateway.stores.objects import Filesystem

Result = TypeVar("Result")

_CHUNK = 1_048_576


@dataclass(frozen=True, slots=True)
class Caps:
    """Most bytes in all and in a line, and seconds until the last line was taken, which go on while lines are used."""

    total: int = 268_435_456
    line: int = 33_554_432
    seconds: float = 600.0


class JobInput:
    """`storages` are those of the schemes in `allowed`, the places in object storage that clients may name."""

    def __init__(
        self,
        fetcher: Fetcher,
        storages: Mapping[str, Filesystem],
        allowed: Sequence[str],
        caps: Caps = Caps(),
    ) -> None:
        self._fetcher = fetcher
        self._storages = storages
        self._allowed = tuple(allowed)
        self._caps = caps

    async def lines(self, url: str) -> AsyncIterator[bytes]:
        """As InputSource.lines: each line without its end, empty ones too, so that they can be numbered.

        Of a line of more than `Caps.line` bytes come that many and one more, so that it can be refused by itself.

        Raises:
            AddressError: nobody may send us there, or what is there can't be input, as it is compressed.
            TransportError: no answer, a failure, too large, too late, or changed while it was read.
        """
        splitter = LineSplitter(self._caps.line)
        async with aclosing(self._chunks(url)) as chunks:
            async for chunk in chunks:
                for line in splitter.feed(chunk):
                    yield line
        for line in splitter.end():
            yield line

    async def _chunks(self, url: str) -> AsyncGenerator[bytes, None]:
        if not is_storage(url):
            async with self._fetcher.open(url, self._caps.total, self._caps.seconds) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        scheme, path = check_object(url, self._allowed)
        async for chunk in self._stored(self._storages[scheme], path):
            yield chunk

    async def _stored(self, storage: Filesystem, path: str) -> AsyncIterator[bytes]:
        deadline = asyncio.get_running_loop().time() + self._caps.seconds
        size, version = await _asked(deadline, _look, storage, path)
        if size > self._caps.total:
            raise TransportError("the object is too large")
        for start in range(0, size, _CHUNK):
            yield await _asked(deadline, _part, storage, path, start, min(start + _CHUNK, size))
        if size and (await _asked(deadline, _look, storage, path))[1] != version:
            raise TransportError("the object changed while it was read")


def _look(storage: Filesystem, path: str) -> tuple[int, str]:
    """Size, and what is another one when the object is."""
    found = storage.info(path)
    if found["type"] != "file":
        raise FileNotFoundError(path)
    return found["size"], str(storage.ukey(path))


def _part(storage: Filesystem, path: str, start: int, end: int) -> bytes:
    content: bytes = storage.cat_file(path, start=start, end=end)  # by name: each storage has an order of its own
    if len(content) != end - start:
        raise TransportError("the object changed while it was read")
    return content


async def _asked(deadline: float, work: Callable[..., Result], *arguments: object) -> Result:
    """What a thread says, which nobody waits for after the deadline. Storage has errors of its own kinds: no quotes."""
    try:
        async with asyncio.timeout_at(deadline):
            return await asyncio.to_thread(work, *arguments)
    except TransportError:
        raise
    except FileNotFoundError:
        raise AddressError("leads to no object, or to one that this gateway may not read") from None
    except TimeoutError as error:
        raise TransportError("no answer in time", timed_out=True) from error
    except Exception as error:
        raise TransportError(f"object storage: {type(error).__name__}") from error

"""C: large bodies read beside the loop; what clients name by URL got by us, before a server of one's own would."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from gateway.endpoints.carving import LARGE
from gateway.endpoints.media import MAX_BYTES, inline
from gateway.errors import AddressError, FieldError, TransportError, invalid_request
from gateway.vocabulary import Inline, Modality

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.config.snapshot import Served, Snapshot
    from gateway.endpoints.endpoint import Endpoint
    from gateway.endpoints.transaction import Creation, FewShot, Update
    from gateway.ports import Clock
    from gateway.vocabulary import Item, Job, Piece

AT_ONCE = 4
_QUICK = 65_536
"""Bytes of a body that are read within a millisecond; after more of them others run."""
SECONDS = 20.0
"""An address has so long, or until the call's deadline."""

_MAX_ERRORS = 64
_TEXT = frozenset({Modality.TEXT})
_TOO_LATE = "no time is left to get it"


class Fetch(Protocol):
    """ports.outside to addresses that clients name; public ones only, unless the operator says otherwise."""

    async def fetch(self, url: str, limit_bytes: int, seconds: float) -> bytes:
        """What is at an address. Raises AddressError and TransportError."""
        ...


class _Budget:
    """Bytes that one request may have got for it: as many as it may send by itself."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.slots = asyncio.Semaphore(AT_ONCE)


async def validated(endpoint: Endpoint, body: bytes, snapshot: Snapshot) -> Job | FewShot | Creation | Update:
    """What a body asks for; megabytes are read beside the event loop. Raises as Endpoint.validate."""
    if len(body) <= _QUICK:
        return endpoint.validate(body, snapshot)
    if len(body) > LARGE:
        return await asyncio.to_thread(endpoint.validate, body, snapshot)
    asked = endpoint.validate(body, snapshot)
    await asyncio.sleep(0)
    return asked


class Inputs:
    """One for a worker.

    The Jina API follows URLs by itself. A server of one's own stands inside a network that clients must not reach
    through it (SSRF), so it gets bytes, which are then known by their digest like any that came inline.
    """

    def __init__(self, foreign: Fetch, clock: Clock) -> None:
        self._foreign = foreign
        self._clock = clock

    async def bring(self, job: Job, served: Served, snapshot: Snapshot, deadline: float) -> Job:
        """The job with bytes for URLs, where one of its backends is not the Jina API. `deadline` in monotonic seconds.

        Raises:
            GatewayError: INPUT_INVALID, naming each input that cannot be got.
        """
        backends = snapshot.config.backends
        follow = all(backends[route.backend].dialect == "jina" for route in served.routes)
        if follow or served.model.modalities == _TEXT:
            return job
        wanted = dict.fromkeys(part for _, part in _pointing(job))
        if not wanted:
            return job
        budget = _Budget(snapshot.config.server.body_limit)
        found = await asyncio.gather(*[self._get(part, budget, deadline) for part in wanted])
        got = dict(zip(wanted, found, strict=True))
        wrong = [
            FieldError(f"body -> {job.model} -> input -> {at} -> {part.modality}", told, "url_fetch", part.value[:200])
            for at, part in _pointing(job)
            if isinstance(told := got[part], str)
        ]
        if wrong:
            raise invalid_request(tuple(wrong[:_MAX_ERRORS]))
        parts = {part: inlined for part, inlined in got.items() if not isinstance(inlined, str)}
        units = tuple([tuple([_with(item, parts) for item in unit]) for unit in job.units])
        return replace(job, units=units, storable=True)

    async def _get(self, part: Piece, budget: _Budget, deadline: float) -> Inline | str:
        """A part's bytes, or why there are none."""
        async with budget.slots:
            seconds = min(SECONDS, deadline - self._clock.monotonic())
            most = min(MAX_BYTES.get(part.modality, budget.left), budget.left)
            if seconds <= 0:
                return _TOO_LATE
            try:
                content = await self._foreign.fetch(part.value, most, seconds)
            except AddressError as error:
                return f"The address {error}"
            except TransportError as error:
                return f"What is there cannot be got: {error}"
            if not content:
                return "What is there is empty"
            budget.left -= len(content)
            return await asyncio.to_thread(inline, part.modality, content)


def _pointing(job: Job) -> Iterator[tuple[int, Piece]]:
    """Every part that is a URL, with the place of its item in the client's list."""
    items = [item for unit in job.units for item in unit]
    for at, item in enumerate(items):
        for part in item.parts:
            if part.modality is not Modality.TEXT and not isinstance(part, Inline):
                yield at, part


def _with(item: Item, parts: Mapping[Piece, Inline]) -> Item:
    return item._replace(parts=tuple([parts.get(part, part) for part in item.parts]))

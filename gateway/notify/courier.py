"""C: delivers notices that are due, whichever worker posted them; tries again what fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import AddressError, StoreError, TransportError
from gateway.notify.delivery import Verdict, delay, headers, verdict

if TYPE_CHECKING:
    from gateway.notify.addresses import Addresses
    from gateway.ports import Clock, Notice, Notices, Observer, Post

POLL_SECONDS = 1.0

TIMEOUT_SECONDS = 10.0

LEASE_SECONDS = 30.0
"""A notice whose worker died is due again after this long: more than a try and its commands to the store take."""

ROLE = "notices"


class Courier:
    """One for a worker and a store of notices.

    A receiver may see a notice twice, with the same id: it may have been slow to say so.
    """

    def __init__(
        self,
        notices: Notices,
        post: Post,
        addresses: Addresses,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._notices = notices
        self._post = post
        self._addresses = addresses
        self._clock = clock
        self._observer = observer

    async def run(self) -> None:
        """Deliver what is due, look again each second, until cancelled."""
        while True:
            if not await self.round():
                await self._clock.sleep(POLL_SECONDS)

    async def round(self) -> int:
        """Try some notices that are due, and wait for all of them; how many."""
        taken = await self._take() if self._addresses.any() else []
        await asyncio.gather(*map(self._deliver, taken))
        return len(taken)

    async def _take(self) -> list[Notice]:
        taken: list[Notice] = []
        try:
            while (
                len(taken) < self._addresses.at_once and (notice := await self._notices.take(LEASE_SECONDS)) is not None
            ):
                taken.append(notice)
        except StoreError:
            self._observer.store_failure(ROLE)
        return taken

    async def _deliver(self, notice: Notice) -> None:
        found = await self._try(notice)
        try:
            await self._record(notice, found)
        except StoreError:  # the lease runs out, and the notice is sent again
            self._observer.store_failure(ROLE)

    async def _try(self, notice: Notice) -> Verdict:
        target = self._addresses.find(notice)
        if isinstance(target, Verdict):
            return target
        signed = headers(notice, target.key, self._clock.epoch())
        try:
            status = await self._post.post(target.url, notice.body.encode(), signed, TIMEOUT_SECONDS)
        except (TransportError, AddressError):  # a name that leads astray now may lead home again later
            return Verdict.FAILED
        found = verdict(status)
        if found is Verdict.GONE:
            self._addresses.gone(notice)
        return found

    async def _record(self, notice: Notice, found: Verdict) -> None:
        wait = delay(notice.tries, self._clock.random())
        if found is Verdict.DELIVERED:
            outcome, told = "delivered", await self._notices.end(notice)
        elif found is Verdict.GONE or wait is None:
            outcome, told = "dead", await self._notices.end(notice, "gone" if found is Verdict.GONE else "tries")
        else:
            outcome, told = "retried", await self._notices.put_off(notice, wait)
        if told:
            self._addresses.tell(self._observer, outcome)

"""C: delivers notices that are due, whichever worker posted them; tries again what fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import StoreError, TransportError
from gateway.notify.delivery import Verdict, delay, headers, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.schema import Config
    from gateway.config.webhooks import Webhook
    from gateway.ports import Clock, Notice, Notices, Observer, Post

POLL_SECONDS = 1.0

TIMEOUT_SECONDS = 10.0

LEASE_SECONDS = 30.0
"""A notice whose worker died is due again after this long: more than a try and its commands to the store take."""

AT_ONCE = 8
"""Notices one worker delivers side by side: one address that hangs holds up few others."""

ROLE = "notices"


class Courier:
    """One for a worker. A receiver may see a notice twice, with the same id: it may have been slow to say so.

    An address that answered 410 is sent nothing more until the configuration is another one; each worker learns that
    for itself. One that this gateway's configuration does not know counts as failing: another gateway may know it.
    """

    def __init__(
        self, notices: Notices, post: Post, config: Callable[[], Config], clock: Clock, observer: Observer
    ) -> None:
        self._notices = notices
        self._post = post
        self._config = config
        self._clock = clock
        self._observer = observer
        self._known: Config | None = None
        self._gone: set[str] = set()

    async def run(self) -> None:
        """Deliver what is due, look again each second, until cancelled."""
        while True:
            if not await self.round():
                await self._clock.sleep(POLL_SECONDS)

    async def round(self) -> int:
        """Try some notices that are due, and wait for all of them; how many."""
        config = self._config()
        if config is not self._known:
            self._known = config
            self._gone.clear()
        webhooks = {webhook.id: webhook for webhook in config.webhooks}
        taken = await self._take() if webhooks else []
        await asyncio.gather(*(self._deliver(notice, webhooks.get(notice.address)) for notice in taken))
        return len(taken)

    async def _take(self) -> list[Notice]:
        taken: list[Notice] = []
        try:
            while len(taken) < AT_ONCE and (notice := await self._notices.take(LEASE_SECONDS)) is not None:
                taken.append(notice)
        except StoreError:
            self._observer.store_failure(ROLE)
        return taken

    async def _deliver(self, notice: Notice, webhook: Webhook | None) -> None:
        found = await self._try(notice, webhook)
        try:
            await self._record(notice, found)
        except StoreError:  # the lease runs out, and the notice is sent again
            self._observer.store_failure(ROLE)

    async def _try(self, notice: Notice, webhook: Webhook | None) -> Verdict:
        if webhook is None:
            return Verdict.FAILED
        if webhook.id in self._gone:
            return Verdict.GONE
        signed = headers(notice, webhook.key, self._clock.epoch())
        try:
            status = await self._post.post(webhook.url, notice.body.encode(), signed, TIMEOUT_SECONDS)
        except TransportError:
            return Verdict.FAILED
        found = verdict(status)
        if found is Verdict.GONE:
            self._gone.add(webhook.id)
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
            self._observer.notice(outcome)

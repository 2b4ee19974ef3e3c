"""C: keeps what clients are to be told about their jobs (ports.jobs.JobEvents), for the courier to deliver."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.ports import Notice
from gateway.vocabulary.when import shown

if TYPE_CHECKING:
    from gateway.ports import Clock, Notices

_ID_DIGITS = 32


class JobEventNotices:
    """Whoever tells the same thing again, as after a crash, changes nothing: it was claimed."""

    def __init__(self, notices: Notices, clock: Clock) -> None:
        self._notices = notices
        self._clock = clock

    async def posted(self, tenant: str, url: str, event: str, body: bytes) -> None:
        """Keep a message: `{"type": event, "timestamp": …, "data": body}`, `body` being JSON.

        The same four are one message, under one id, however often they come within two days.

        Raises:
            StoreError: it could not be kept; tell it again.
        """
        now = self._clock.epoch()
        claim = _claim(tenant, url, event, body)
        content = f'{{"type":"{event}","timestamp":"{shown(now)}","data":{body.decode()}}}'
        told = Notice(f"msg_{claim[:_ID_DIGITS]}", url, content, tenant=tenant)
        await self._notices.post(claim, now, [told])


def _claim(tenant: str, url: str, event: str, body: bytes) -> str:
    parts = (tenant.encode(), url.encode(), event.encode(), body)
    return hashlib.sha256(b"".join(len(part).to_bytes(4) + part for part in parts)).hexdigest()

"""C: a job's state in the contract's form, with addresses of its files, for its owner and for webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from gateway.endpoints.batch import OUTPUT, status_of
from gateway.jobs.signing import sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.ports.jobs import Batch, JobEvents
    from gateway.vocabulary import Json


@dataclass(frozen=True, slots=True)
class Telling:
    """One for a worker."""

    events: JobEvents
    snapshot: Callable[[], Snapshot]

    def status(self, batch: Batch, origin: str = "") -> dict[str, Json]:
        """The contract's BatchStatus; `origin` is what the client reached us under, where no setting says it."""
        snapshot = self.snapshot()
        base = snapshot.config.jobs.public_url or origin
        links = {}
        for kind in OUTPUT:
            path = f"/v1/batch/{batch.order.id}/{kind}"
            links[kind] = f"{base}{path}?{sign(path, batch.order.expires, snapshot.secret)}"
        return status_of(batch, links)

    async def tell(self, batch: Batch) -> None:
        """Tell the address that the client named. Raises StoreError."""
        order = batch.order
        body = orjson.dumps(self.status(batch))
        await self.events.posted(order.tenant, order.webhook_url, f"batch.{batch.state}", body)

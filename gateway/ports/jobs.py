"""P: batch jobs: where they are kept, and who hears how they end."""

from __future__ import annotations

from typing import Protocol


class JobEvents(Protocol):
    """Hears of batches that ended, for whoever asked to be told."""

    async def posted(self, tenant: str, url: str, event: str, body: bytes) -> None:
        """Keep a message of `event` (`batch.completed`, …) for a tenant's address; never raises for what happens later."""
        ...

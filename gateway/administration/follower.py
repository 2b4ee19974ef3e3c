"""C: keeps a worker's snapshot up to date with the tenants and keys in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.accounts import Accounts
from gateway.config.compile import with_accounts
from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.snapshot import Snapshot
    from gateway.ports import AccountStore, Clock, Observer

POLL_SECONDS = 0.3
"""A change is in force everywhere within a second: this, and the time of two questions to the store."""

ROLE = "accounts"


class Follower:
    """One for a worker. While the store is down, what was known stays in force.

    `base` is the compiled configuration alone; `publish` takes each new snapshot, which nothing changes afterwards.
    """

    def __init__(
        self,
        store: AccountStore,
        clock: Clock,
        observer: Observer,
        base: Snapshot,
        publish: Callable[[Snapshot], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._observer = observer
        self._base = base
        self._publish = publish
        self._accounts = Accounts()
        self._version: str | None = None
        self._failing = False

    async def run(self) -> None:
        """Look for changes for ever."""
        while True:
            await self._clock.sleep(POLL_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Take up what has changed since the last look."""
        try:
            if await self._store.version() == self._version:
                self._failing = False
                return
            self._version, self._accounts = await self._store.load()
        except StoreError:
            if not self._failing:
                self._observer.store_failure(ROLE)
            self._failing = True
            return
        self._failing = False
        self._publish(with_accounts(self._base, self._accounts))

    def rebase(self, base: Snapshot) -> None:
        """Put another configuration in force, with the same tenants and keys of the store."""
        self._base = base
        self._publish(with_accounts(base, self._accounts))

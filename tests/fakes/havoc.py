"""E: what can happen to a running gateway and its private store, each as one disturbance that ends by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError
from gateway.stores.redis.client import connect, store_errors

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Awaitable, Callable

    from fakes.running_gateway import Gateway

MEMORY = "maxmemory"


class Havoc:
    """Disturbs one gateway; `log` names what was done, in order, and when it began and ended (monotonic seconds)."""

    def __init__(self, gateway: Gateway, workers: int, chance: random.Random) -> None:
        self.log: list[str] = []
        self._gateway = gateway
        self._workers = workers
        self._chance = chance

    @property
    def all(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.kill_worker,
            self.kill_worker,
            self.pause_store,
            self.pause_worker,
            self.kill_store,
            self.kill_store_and_worker,
            self.full_store,
            self.read_only_store,
            self.long_read_only_store,
        ]

    async def next(self, what: Callable[[], Awaitable[None]]) -> None:
        began = time.monotonic()
        with suppress(ProcessLookupError, FileNotFoundError, StoreError):
            await what()
        self.log.append(f"{what.__name__}@{began:.1f}-{time.monotonic():.1f}")

    async def kill_worker(self) -> None:
        os.kill(self._worker(), signal.SIGKILL)

    async def pause_worker(self) -> None:
        """Not for as long as a store that forgot something waits to be told it again."""
        with self._gateway.paused(self._worker()):
            await asyncio.sleep(self._chance.uniform(0.1, 0.5))

    async def pause_store(self) -> None:
        with self._gateway.paused(self._store()):
            await asyncio.sleep(self._chance.uniform(0.1, 0.8))

    async def kill_store(self) -> None:
        os.kill(self._store(), signal.SIGKILL)

    async def kill_store_and_worker(self) -> None:
        os.kill(self._store(), signal.SIGKILL)
        os.kill(self._worker(), signal.SIGKILL)

    async def full_store(self) -> None:
        async with self._commands() as ask:
            _, before = await ask("CONFIG", "GET", MEMORY)
            await ask("CONFIG", "SET", MEMORY, "1")
            await asyncio.sleep(self._chance.uniform(0.3, 1.0))
            await ask("CONFIG", "SET", MEMORY, before)

    async def read_only_store(self, seconds: float = 0.5) -> None:
        async with self._commands() as ask:
            await ask("REPLICAOF", "127.0.0.1", "1")
            await asyncio.sleep(seconds)
            await ask("REPLICAOF", "NO", "ONE")

    async def long_read_only_store(self) -> None:
        """Longer than a lease lasts."""
        await self.read_only_store(3.5)

    async def absent_store(self) -> None:
        """So long that workers spend shares of the limits; one takes along what it spent."""
        killing = asyncio.get_running_loop().call_later(self._chance.uniform(66, 74), self._kill_worker)
        try:
            await self.read_only_store(75)
        finally:
            killing.cancel()

    def _kill_worker(self) -> None:
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(self._worker(), signal.SIGKILL)

    async def empty_store(self) -> None:
        """It comes back without anything."""
        store = self._store()
        os.kill(store, signal.SIGSTOP)
        for folder in (self._gateway.data_dir / "store").glob("*/appendonlydir"):
            shutil.rmtree(folder)
        os.kill(store, signal.SIGKILL)

    def _store(self) -> int:
        return self._gateway.pid("store")

    def _worker(self) -> int:
        return self._gateway.pid(f"worker-{self._chance.randrange(self._workers)}")

    @asynccontextmanager
    async def _commands(self) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
        client = connect(f"unix://{self._gateway.data_dir}/run/store.sock", 5.0)

        async def ask(*words: str | bytes) -> Any:
            with store_errors():
                reply = await client.execute_command(*words)  # type: ignore[no-untyped-call] # redis has no types here
            return next(iter(reply.items())) if isinstance(reply, dict) else reply

        try:
            yield ask
        finally:
            await client.aclose()

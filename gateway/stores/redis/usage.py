"""E: the ledger in Redis (ports.Ledger): one hash a tenant and hour; a batch is added by one script a tenant."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from gateway.errors import StoreError
from gateway.stores.redis.scripts import Script
from gateway.vocabulary import SECONDS_PER_HOUR, Account, Tally, total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.ports import Clock, Unit
    from gateway.stores.redis.client import Line
    from gateway.stores.redis.keys import Keys
    from gateway.vocabulary import Batch

AT_ONCE = 64
"""Tenants written, or hours read, side by side."""

WRITER_SECONDS = 30 * 86_400
"""A writer that was silent for so long is forgotten: a batch that it left unsettled would then count again."""

_HOURS_PER_DAY = 24
_PARTS = 4


class RedisLedger:
    """The ledger of all gateways on one store. Hours older than `retain_days` go when something is added."""

    def __init__(self, line: Line, keys: Keys, retain_days: int, clock: Clock) -> None:
        self._line = line
        self._keys = keys
        self._retain_hours = retain_days * _HOURS_PER_DAY
        self._clock = clock
        self._add = Script("usage_add")

    async def add(self, batch: Batch, settled: int) -> bool:
        """Add a batch once; whether anything was added now. Raises StoreError."""
        tenants: dict[str, dict[Account, Tally]] = defaultdict(dict)
        for account, tally in batch.tallies.items():
            tenants[account.tenant][account] = tally
        if not tenants:
            return False
        await self._line.ask("SADD", self._keys.usage_tenants, *tenants)
        added = False
        parts = list(tenants.items())
        for start in range(0, len(parts), AT_ONCE):
            done = await asyncio.gather(
                *(self._part(batch, settled, tenant, tallies) for tenant, tallies in parts[start : start + AT_ONCE])
            )
            added = added or any(done)
        return added

    async def _part(self, batch: Batch, settled: int, tenant: str, tallies: Mapping[Account, Tally]) -> bool:
        now = self._clock.epoch()
        oldest = now // SECONDS_PER_HOUR - self._retain_hours
        hours: dict[int, list[str | int]] = defaultdict(list)
        for account, tally in tallies.items():
            hours[account.hour] += _fields(account, tally)
        keys = [*self._keys.usage(tenant), *(self._keys.usage_hour(tenant, hour) for hour in hours)]
        arguments: list[str | int] = [now, batch.writer, batch.sequence, settled, WRITER_SECONDS, oldest]
        sums = _amounts(total(tallies.values()))
        groups: list[tuple[str | int, list[str | int]]] = [("", sums), *hours.items()]
        for hour, fields in groups:
            arguments += [hour, len(fields) // 2, *fields]
        added, *old = await self._add.run(self._line, keys, arguments)
        if old:
            await self._drop(tenant, old)
        return bool(added)

    async def _drop(self, tenant: str, hours: Sequence[int]) -> None:
        """First the hours, then their names: what fails between is found again."""
        await asyncio.gather(*(self._line.queue("UNLINK", self._keys.usage_hour(tenant, hour)) for hour in hours))
        await self._line.ask("ZREM", self._keys.usage(tenant)[1], *hours)

    async def rows(self, tenant: str, since: int, until: int) -> list[tuple[Account, Tally]]:
        """A tenant's rows of some hours. Raises StoreError."""
        found = await self._line.ask("ZRANGE", self._keys.usage(tenant)[1], since, f"({until}", "BYSCORE")
        hours = [int(hour) for hour in found]
        rows: list[tuple[Account, Tally]] = []
        for start in range(0, len(hours), AT_ONCE):
            chunk = hours[start : start + AT_ONCE]
            names = (self._keys.usage_hour(tenant, hour) for hour in chunk)
            hashes = await asyncio.gather(*(self._line.queue("HGETALL", name) for name in names))
            for hour, fields in zip(chunk, hashes, strict=True):
                rows += _rows(tenant, hour, fields)
        return rows

    async def lifetime(self, tenant: str) -> Tally:
        """Everything that a tenant was ever counted. Raises StoreError."""
        found = await self._line.ask("HGETALL", self._keys.usage(tenant)[2])
        amounts = {int(position): int(amount) for position, amount in found.items()}
        return Tally(*(amounts.get(position, 0) for position in range(len(Tally()))))

    async def topped_up(self, tenant: str, unit: Unit) -> int:
        """What was added to a tenant's balance so far. Raises StoreError."""
        return int(await self._line.ask("HGET", self._keys.topped_up(tenant), unit) or 0)

    async def top_up(self, tenant: str, unit: Unit, amount: int) -> int:
        """Add to a balance; what was added so far, with this. Raises StoreError: then it may have been added."""
        return int(await self._line.ask("HINCRBY", self._keys.topped_up(tenant), unit, amount))

    async def tenants(self) -> list[str]:
        """Every tenant that was ever counted. Raises StoreError."""
        return sorted(name.decode() for name in await self._line.ask("SMEMBERS", self._keys.usage_tenants))


def _fields(account: Account, tally: Tally) -> list[str | int]:
    """Field and amount of everything that is not zero; no part of an account has a space in it."""
    return _amounts(tally, f" {account.key_id} {account.model} {account.endpoint}")


def _amounts(tally: Tally, about: str = "") -> list[str | int]:
    flat: list[str | int] = []
    for position, amount in enumerate(tally):
        if amount:
            flat += [f"{position}{about}", amount]
    return flat


def _rows(tenant: str, hour: int, fields: Mapping[bytes, bytes]) -> list[tuple[Account, Tally]]:
    sums: dict[Account, list[int]] = defaultdict(lambda: [0] * len(Tally()))
    for name, amount in fields.items():
        parts = name.decode().split(" ")
        if len(parts) != _PARTS:
            raise StoreError("the ledger is damaged")
        sums[Account(hour, tenant, *parts[1:])][int(parts[0])] = int(amount)
    return [(account, Tally(*amounts)) for account, amounts in sums.items()]

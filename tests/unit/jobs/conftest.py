from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_asyncio
from fakes.batches import LEASE, Engine
from fakes.gateway import Gateway, configured

from gateway.config.jobs import Jobs
from gateway.config.schema import Tier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@pytest_asyncio.fixture
async def make() -> AsyncIterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def engine(jobs: Jobs | None = None, **changes: Any) -> Engine:
        settings: dict[str, Any] = {"tiers": {"small": Tier(rpm=1_000, tpm=1_000_000, concurrency=100)}}
        bounds = jobs or Jobs(chunk=2, concurrency=2, slots=2, lease_seconds=LEASE)
        made.append(Engine(Gateway(configured(jobs=bounds, **(settings | changes)))))
        return made[-1]

    yield engine
    for each in made:
        await each.close()

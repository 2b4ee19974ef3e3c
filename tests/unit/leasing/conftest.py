"""C: a store whose calls can be held up at any point, and a request that goes through all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.parking import Gatehouse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def house() -> AsyncIterator[Gatehouse]:
    gatehouse = Gatehouse()
    yield gatehouse
    gatehouse.store.release.set()
    await gatehouse.tasks.drain(5.0)

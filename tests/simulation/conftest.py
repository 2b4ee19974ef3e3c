from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def calls() -> AsyncIterator[list[asyncio.Task[bool]]]:
    """Whatever a test starts; what still runs in the end is cancelled."""
    started: list[asyncio.Task[bool]] = []
    yield started
    for task in started:
        task.cancel()
    await asyncio.gather(*started, return_exceptions=True)

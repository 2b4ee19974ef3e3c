from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    import pytest


async def test_a_task_is_waited_for_and_one_that_takes_too_long_is_cancelled() -> None:
    group, done = TaskGroup(), []
    never = asyncio.Event()

    async def quick() -> None:
        await asyncio.sleep(0)
        done.append("quick")

    async def slow() -> None:
        try:
            await never.wait()
        finally:
            done.append("cancelled")

    group.spawn(quick(), "quick")
    group.spawn(slow(), "slow")
    await group.drain(0.05)
    assert done == ["quick", "cancelled"]
    await group.drain(0)


async def test_what_only_watches_goes_on_as_long_as_others_work_and_is_not_waited_for() -> None:
    group, done, go = TaskGroup(), [], asyncio.Event()

    async def watch() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            done.append("watch")

    async def work() -> None:
        await go.wait()
        done.append("work")

    group.spawn(watch(), "watch", watching=True)
    group.spawn(work(), "work")
    draining = asyncio.ensure_future(group.drain(600))
    await asyncio.sleep(0)
    assert done == []
    go.set()
    await draining
    assert done == ["work", "watch"]
    assert not group._watching


async def test_a_crash_is_logged_under_its_name(caplog: pytest.LogCaptureFixture) -> None:
    group = TaskGroup()

    async def crash() -> None:
        raise ValueError("boom")

    with caplog.at_level(logging.ERROR):
        task = group.spawn(crash(), "settle 1")
        await asyncio.wait({task})
        await asyncio.sleep(0)
    assert "settle 1" in caplog.text

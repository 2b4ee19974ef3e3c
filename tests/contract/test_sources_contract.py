from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fakes.running_gateway import until

if TYPE_CHECKING:
    from fakes.world import World

    from gateway.ports import Sources


async def comes_to(world: World, sources: Sources, *, exist: bool) -> None:
    """A second passes with each look, until it is so."""

    async def so() -> bool:
        world.advance(1.0)
        await asyncio.sleep(0)
        return sources.may_exist(world.clock.monotonic()) is exist

    await until(so)


async def test_while_nobody_knows_there_may_be_some(world: World) -> None:
    assert world.sources.may_exist(world.clock.monotonic())


async def test_what_is_made_is_known_at_once_and_elsewhere_soon(world: World) -> None:
    world.sources.made()
    assert world.sources.may_exist(world.clock.monotonic())
    await comes_to(world, world.other_sources, exist=True)
    for _ in range(3):
        world.advance(1.0)
        assert world.sources.may_exist(world.clock.monotonic())

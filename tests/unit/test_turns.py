from __future__ import annotations

import asyncio

import pytest

from gateway.turns import MANY, turn_over


@pytest.mark.parametrize(("units", "served"), [(0, []), (MANY - 1, []), (MANY, ["another"]), (9 * MANY, ["another"])])
async def test_others_run_after_many_units_alone(units: int, served: list[str]) -> None:
    done: list[str] = []
    asyncio.get_running_loop().call_soon(done.append, "another")
    await turn_over(units)
    assert done == served

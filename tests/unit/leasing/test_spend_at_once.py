"""What takes no time is spent as taking and settling it would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakes.parking import Gatehouse

from gateway.vocabulary import Limits, Meter, Scope

if TYPE_CHECKING:
    from gateway.leasing.lease import Lease
    from gateway.leasing.leases import Leases

TENANT = Meter("t", Scope.TENANT, Limits(10, 100, 2))
KEY = Meter("k", Scope.KEY, Limits(None, 50, None))
BUDGET_LIKE = Meter("p", Scope.TOTAL, Limits(10, None, None), period=5)
METERS = (TENANT, KEY, BUDGET_LIKE)


def state(lease: Lease) -> object:
    return lease.idle, lease.busy, lease.history, lease.used, lease.window(0.0), lease.owes


async def filled(house: Gatehouse) -> Leases:
    """A worker whose leases hold something idle."""
    leases = house.worker().leases
    await leases.tick()
    for meter in METERS:
        for entry in await leases.take([(leases.of(meter), 1, 4, 1)]):
            leases.settle(entry, 0, 0)
    return leases


@pytest.mark.parametrize("tokens", [0, 4])
async def test_it_is_what_taking_and_settling_comes_to(house: Gatehouse, tokens: int) -> None:
    left, right = await filled(house), await filled(Gatehouse())
    leases = [left.of(meter) for meter in METERS]
    taken = left.taken_at_once([(lease, 1, tokens, 1) for lease in leases])
    assert taken is not None
    for entry in taken:
        left.settle(entry, 1, tokens)
    assert right.spend_at_once(METERS, tokens)
    for meter in METERS:
        assert state(right.of(meter)) == state(left.of(meter))


@pytest.mark.parametrize("meter", METERS)
async def test_nothing_is_spent_where_one_meter_has_too_little(house: Gatehouse, meter: Meter) -> None:
    leases = await filled(house)
    for position in range(3):
        lease = leases.of(meter)
        limits = (meter.limits.requests, meter.limits.tokens, meter.limits.concurrency)
        before = [*lease.idle]
        lease.idle[position] = 0
        others = [(leases.of(other).used, [*leases.of(other).idle]) for other in METERS]
        assert leases.spend_at_once(METERS, 1) is (limits[position] is None)
        if limits[position] is not None:
            assert [(leases.of(other).used, [*leases.of(other).idle]) for other in METERS] == others
        lease.idle[:] = before


async def test_what_somebody_waits_for_and_what_the_store_must_say_is_not_spent(house: Gatehouse) -> None:
    leases = await filled(house)
    leases.of(KEY).called_back = True
    assert not leases.spend_at_once(METERS, 1)
    leases.of(KEY).called_back = False
    leases.down = True
    assert not leases.spend_at_once(METERS, 1)
    leases.down = False
    assert leases.spend_at_once(METERS, 1)

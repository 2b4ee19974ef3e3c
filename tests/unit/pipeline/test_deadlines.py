from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes.gateway import SEARCH_KEY, Gateway, configured
from fakes.jina_upstream import Fault

from gateway.config.schema import Server, Tenant, Tier
from gateway.endpoints import ENDPOINTS
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Call, Directives, Facts

if TYPE_CHECKING:
    from collections.abc import Callable

EMBEDDINGS = next(entry for entry in ENDPOINTS if entry.name == "embeddings")
BODY = orjson.dumps({"model": "jina-embeddings-v3", "input": ["late"]})


async def unread() -> bytes:
    return BODY


def call(timeout: float, *, chosen: bool = False) -> Call:
    return Call(unread, None, "", "r", 1_000.0 + timeout, timeout=timeout, chosen=chosen)


# What the client asked for (or the server allows), whether the client chose, the tenant's own → seconds that apply.
WITHIN: list[tuple[float, bool, float | None, float]] = [
    (120.0, False, None, 120.0),
    (120.0, False, 7.5, 7.5),
    (120.0, False, 300.0, 120.0),
    (2.5, True, None, 2.5),
    (2.5, True, 1.0, 2.5),
    (60.0, True, 7.5, 60.0),
]


@pytest.mark.parametrize(("timeout", "chosen", "tenants", "applied"), WITHIN)
def test_which_seconds_apply(timeout: float, chosen: bool, tenants: float | None, applied: float) -> None:  # noqa: FBT001 - a table
    limited = call(timeout, chosen=chosen).within(tenants)
    assert (limited.timeout, limited.deadline) == (applied, 1_000.0 + applied)


TENANTS: list[tuple[dict[str, Any], dict[str, Any], float | None]] = [
    ({}, {}, None),
    ({"timeout": 3}, {}, 3.0),
    ({}, {"timeout": 9}, 9.0),
    ({"timeout": 3}, {"timeout": 9}, 3.0),
]


@pytest.mark.parametrize(("tenant", "tier", "seconds"), TENANTS)
def test_a_tenants_own_time_else_its_tiers(tenant: dict[str, Any], tier: dict[str, Any], seconds: float | None) -> None:
    tenants = {"search": Tenant(tier="small", keys=(SEARCH_KEY,), **tenant)}
    gateway = Gateway(configured(tenants=tenants, tiers={"small": Tier(**tier)}))
    (caller,) = gateway.pipeline.snapshot.directory.values()
    assert caller.timeout == seconds


async def never(*_: object, **__: object) -> Any:
    await asyncio.Event().wait()


def stall_body(_: Gateway, made: Call) -> Call:
    return replace(made, read=never)


def stall_store(gateway: Gateway, made: Call) -> Call:
    gateway.answers.get = never  # type: ignore[method-assign]
    return made


def stall_estimator(gateway: Gateway, made: Call) -> Call:
    gateway.estimator.at_once = lambda *_: None  # type: ignore[method-assign]
    gateway.estimator.estimate = never  # type: ignore[method-assign]
    return made


def stall_admission(gateway: Gateway, made: Call) -> Call:
    gateway.leases.taken_at_once = lambda _: None  # type: ignore[method-assign, assignment]
    gateway.leases.take = never  # type: ignore[method-assign]
    return made


def stall_upstream(gateway: Gateway, made: Call) -> Call:
    gateway.upstream.faults.append(Fault(gate=asyncio.Event()))
    return made


def stall_upstream_of_nobody_else(gateway: Gateway, made: Call) -> Call:
    return replace(stall_upstream(gateway, made), directives=Directives(no_store=True))


STALLS = [
    stall_body,
    stall_admission,
    stall_store,
    stall_estimator,
    stall_upstream,
    stall_upstream_of_nobody_else,
]


@pytest.mark.parametrize("stall", STALLS, ids=lambda stall: stall.__name__)
async def test_no_wait_outlasts_the_deadline_and_the_slot_is_free_again(
    stall: Callable[[Gateway, Call], Call],
) -> None:
    gateway = Gateway(configured(server=Server(timeout=0.02)))
    made = stall(gateway, gateway.call(BODY, SEARCH_KEY, "192.0.2.1", Directives()))
    with pytest.raises(GatewayError) as raised:
        await gateway.pipeline.serve(EMBEDDINGS, replace(made, timeout=0.02), Facts("embeddings", "r"))
    assert raised.value.code is Code.SERVICE_TIMEOUT
    assert raised.value.message == "Request timed out after 0.02 seconds"
    assert gateway.used("search").slots == 0
    await gateway.tasks.drain(0)


async def test_who_is_late_hears_its_own_seconds_not_another_calls() -> None:
    gateway = Gateway()
    made = replace(gateway.call(BODY, SEARCH_KEY, "192.0.2.1", Directives()), timeout=2.5)
    gateway.clock.now = made.deadline
    gateway.upstream.faults.append(Fault(seconds=1_000.0))
    with pytest.raises(GatewayError, match=r"after 2\.5 seconds"):
        await gateway.pipeline.serve(EMBEDDINGS, made, Facts("embeddings", "r"))

"""What the store says of itself, as `/metrics` shows it: of one server, of a cluster, of one that is away."""

from __future__ import annotations

import pytest

from gateway.errors import StoreError
from gateway.observe.store_metrics import SharedMetrics
from gateway.stores.redis.client import Line, connect
from gateway.stores.redis.health import FIGURES, figures
from gateway.tasks import TaskGroup


@pytest.mark.parametrize(("kind", "nodes"), [("valkey", 1), ("redis", 1), ("cluster", 3)])
async def test_figures_are_sums_over_the_nodes(request: pytest.FixtureRequest, kind: str, nodes: int) -> None:
    client = connect(request.getfixturevalue(f"{kind}_url"), 5.0, cluster=kind == "cluster")
    tasks = TaskGroup()
    line = Line(client, tasks, 5.0)
    await client.flushall()
    for number in range(30):
        await line.ask("SET", f"key-{number}", "value")
    found = await figures(line)
    assert (found["nodes"], found["keys"]) == (nodes, 30)
    assert found["memory_bytes"] > 100_000 * nodes
    assert found["commands"] > 30
    assert found["clients"] >= nodes
    await line.ask("GET", "key-1")
    assert (await figures(line))["keyspace_hits"] == found["keyspace_hits"] + 1
    shown = {family.name for family in SharedMetrics(found).collect()} - {"gateway_batch_jobs_open"}
    assert shown == {f"gateway_store_{name}" for name in (*FIGURES, "keys", "nodes")}
    await tasks.drain(5.0)
    await client.aclose()


@pytest.mark.parametrize("cluster", [False, True])
async def test_a_store_that_is_away_is_a_store_error(*, cluster: bool) -> None:
    client = connect("redis://127.0.0.1:1", 0.2, cluster=cluster)
    tasks = TaskGroup()
    with pytest.raises(StoreError):
        await figures(Line(client, tasks, 0.2))
    await tasks.drain(5.0)
    await client.aclose()

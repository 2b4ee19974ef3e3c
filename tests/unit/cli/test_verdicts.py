from __future__ import annotations

import pytest

from gateway.cli.verdicts import Grade, Verdict, admin_token, clocks, disk, files, store, workers

GOOD = {
    "redis_version": "7.2.4",
    "valkey_version": "8.1.0",
    "cluster_enabled": "0",
    "aof_enabled": "1",
    "aof_last_write_status": "ok",
    "maxmemory_policy": "volatile-lfu",
    "maxmemory": str(1 << 30),
    "used_memory": str(1 << 29),
}


def test_a_good_store_is_called_good() -> None:
    found = list(store(GOOD, clustered=False))
    assert {verdict.grade for verdict in found} == {Grade.GOOD}
    assert [verdict.said for verdict in found] == [
        "Valkey 8.1.0",
        "append-only file",
        "volatile-lfu",
        "50% of 1,024 MiB",
    ]


@pytest.mark.parametrize(
    ("changed", "clustered", "thing", "grade", "remedy"),
    [
        ({"redis_version": "6.2.14"}, False, "store version", Grade.WRONG, "7.0 or later"),
        ({"cluster_enabled": 1}, False, "store kind", Grade.WRONG, "store.cluster: true"),
        ({}, True, "store kind", Grade.WRONG, "store.cluster: false"),
        ({"aof_enabled": 0}, False, "store durability", Grade.WRONG, "appendonly yes"),
        ({"aof_last_write_status": "err"}, False, "store durability", Grade.WRONG, "disk"),
        ({"maxmemory_policy": "allkeys-lru"}, False, "store eviction", Grade.WRONG, "volatile-lfu"),
        ({"maxmemory": 0}, False, "store memory", Grade.NOTED, "set maxmemory"),
        (
            {"maxmemory_policy": "noeviction", "used_memory": 1020 << 20},
            False,
            "store memory",
            Grade.WRONG,
            "raise maxmemory",
        ),
    ],
)
def test_what_a_store_lacks_is_named_alone(
    changed: dict[str, object],
    clustered: bool,  # noqa: FBT001 - a column of the table
    thing: str,
    grade: Grade,
    remedy: str,
) -> None:
    lacking = [verdict for verdict in store(GOOD | changed, clustered=clustered) if verdict.grade is not Grade.GOOD]
    assert [(verdict.thing, verdict.grade) for verdict in lacking] == [(thing, grade)]
    assert remedy in lacking[0].remedy


@pytest.mark.parametrize(
    ("verdict", "grade", "said"),
    [
        (clocks(0.3), Grade.GOOD, "store 0.3 s ahead"),
        (clocks(-2.0), Grade.NOTED, "store 2.0 s behind"),
        (clocks(9.0), Grade.WRONG, "store 9.0 s ahead"),
        (files(65_536), Grade.GOOD, "65,536"),
        (files(1_024), Grade.NOTED, "1,024"),
        (files(256), Grade.WRONG, "256"),
        (workers(2, 2), Grade.GOOD, "2 on 2 processors"),
        (workers(8, 1), Grade.NOTED, "8 on 1 processor"),
        (admin_token(None, "0.0.0.0"), Grade.GOOD, "no admin API"),  # noqa: S104 - recognised, not bound
        (admin_token("0123456789abcdef" * 2, "127.0.0.1"), Grade.GOOD, "strong"),
        (admin_token("0123456789abcdef" * 2, "10.0.0.1"), Grade.NOTED, "listens on 10.0.0.1"),
        (admin_token("0123456789abcdef", "127.0.0.1"), Grade.WRONG, "guessed"),
        (admin_token("ab" * 20, "127.0.0.1"), Grade.WRONG, "guessed"),
        (disk(1 << 31), Grade.GOOD, "2.0 GiB"),
        (disk(1 << 20), Grade.NOTED, "0.0 GiB"),
    ],
)
def test_a_host(verdict: Verdict, grade: Grade, said: str) -> None:
    assert verdict.grade is grade
    assert said in verdict.said
    assert bool(verdict.remedy) == (grade is not Grade.GOOD)

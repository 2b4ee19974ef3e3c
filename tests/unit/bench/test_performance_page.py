from __future__ import annotations

from typing import Any

import pytest
from instructions import recorded
from performance.goals import exponent, verdicts
from performance.page import page
from performance.results import FILE, load
from soak import is_flat, rise

PAGE = FILE.parents[1] / "performance.md"


def figures(cpu_us: float, p50_ms: float = 1.0, p99_ms: float = 2.0, others: float = 0.01) -> dict[str, Any]:
    faults = {"refused": 0, "broken": 0}
    times = {"p50_ms": p50_ms, "p99_ms": p99_ms, "rate": 1e6 / cpu_us}
    return {"cpu_us": cpu_us, "rss_mb": 100.0, "others": others, "parts": {"worker": cpu_us}, **times, **faults}


def results(**cases: dict[str, Any]) -> dict[str, Any]:
    bench = {"when": "2026-01-02", "commit": "abc", "machine": "M", "versions": {"Python": "3.11"}, "cases": cases}
    return {"bench": bench}


GOOD: dict[str, dict[str, Any]] = {
    "a": {"gateway": figures(48), "bare aiohttp": figures(40), "LiteLLM": figures(4_800)},
    "b": {"gateway": figures(130), "bare aiohttp": figures(100), "Portkey": figures(780), "LiteLLM": figures(5_200)},
    "c": {"gateway": figures(1, 51.0, 66), "bare aiohttp": figures(1, 51.0, 60), "upstream": figures(1, 50.0, 51)},
    "a_unlike": {"gateway": figures(48), "bare aiohttp": figures(40)},
    "d": {"gateway": figures(900), "nginx": figures(450)},
    "d_unlike": {"gateway": figures(1_000)},
    "e": {"gateway": figures(7_400)},
    "f": {"gateway": figures(500)},
}


def test_the_page_is_what_its_command_makes() -> None:
    assert PAGE.read_text() == page(load(), recorded()), "make bench-page"


def test_what_reaches_its_goal_is_met() -> None:
    met = {(one.case, one.what): one.met for one in verdicts(results(**GOOD))}
    measured = {name: verdict for name, verdict in met.items() if name[0] in GOOD}
    assert len(measured) == 13
    assert set(measured.values()) == {True}
    assert "All goals that were measured are met" in page(results(**GOOD), {})


@pytest.mark.parametrize(
    ("case", "server", "worse", "what"),
    [
        ("a", "gateway", figures(48.1), "CPU of a cached hit ÷ bare aiohttp application"),
        ("b", "gateway", figures(131), "CPU of a miss ÷ bare aiohttp proxy"),
        ("c", "gateway", figures(1, 51.1, 66), "added to the median of an upstream of 50 ms"),
        ("c", "gateway", figures(1, 51.0, 67), "p99 ÷ bare aiohttp proxy"),
        ("d", "nginx", figures(449), "100 cached texts ÷ nginx, which caches the body"),
        ("d", "gateway", figures(1_001), "CPU of 100 cached texts"),
        ("e", "gateway", figures(7_401), "CPU of 100 texts, 50 of them new"),
        ("f", "gateway", figures(501), "CPU of 100 cached documents"),
        ("b", "Portkey", figures(779), "Portkey's CPU ÷ ours"),
    ],
)
def test_what_is_a_little_worse_is_named(case: str, server: str, worse: dict[str, Any], what: str) -> None:
    cases = {**GOOD, case: {**GOOD[case], server: worse}}
    missed = [one.what for one in verdicts(results(**cases)) if one.met is False]
    assert what in missed
    assert f"{what}: " in page(results(**cases), {}).partition("**Not met**")[2]


def test_what_was_not_measured_is_neither() -> None:
    assert {one.met for one in verdicts({})} == {None}
    empty = page({}, {})
    for command in ("make bench", "make bench-micro", "make bench-growth", "make soak"):
        assert f"*Not measured yet: `{command}`.*" in empty


def test_a_busy_machine_is_told() -> None:
    noisy = {**GOOD, "f": {"gateway": figures(400, others=0.5)}}
    assert "not quiet" in page(results(**noisy), {})
    assert "not quiet" not in page(results(**GOOD), {})


def test_a_case_that_was_measured_before_the_others_says_of_what() -> None:
    again = results(**GOOD)
    again["bench"] |= {"commit": "new", "of": {"a": "new", "f": "old", "b": "old"}}
    assert "commit new; of commit old: b, f." in page(again, {})


@pytest.mark.parametrize(
    ("costs", "expected"),
    [([100, 100, 100], 0.0), ([10, 100, 1_000], 1.0), ([10, 10, 1_000], 2.0), ([10, 1_000, 10], 2.0)],
)
def test_the_steepest_growth_counts(costs: list[int], expected: float) -> None:
    points = [{"n": 10**at, "cpu_us": cost} for at, cost in enumerate(costs)]
    assert exponent(points) == pytest.approx(expected)


def test_a_rise_is_that_of_the_line_through_all_samples() -> None:
    def samples(*values: float) -> list[dict[str, float]]:
        return [{"seconds": float(at), "rss_mb": value} for at, value in enumerate(values)]

    assert rise(samples(100, 101, 102, 103, 104), "rss_mb") == pytest.approx(0.04)
    assert rise(samples(100, 104, 100, 104, 100), "rss_mb") == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("counts", "flat"),
    [([50, 60, 60, 61], True), ([50, 60, 61, 63], False), ([10, 12, 14, 16, 18, 20], False), ([5], False)],
)
def test_counts_are_flat_when_their_second_half_is_no_more(counts: list[float], flat: bool) -> None:  # noqa: FBT001 - a table
    assert is_flat(counts) is flat

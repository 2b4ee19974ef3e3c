"""What was wanted, what was measured, and whether it is enough, on the figures of results.json."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHERS = 49
"""Inputs of case (e) that are new, beyond the first."""

SOAKED = 10**6
MOST_RISE = 0.01
LINEAR = 1.1
"""The exponent by which a cost may grow from one point to the next; 1 is linear, the rest is what points scatter."""

STEP = 10.0
"""From one point to the next that are compared at least so much must lie, or scatter would be all there is."""


@dataclass(frozen=True)
class Verdict:
    """One goal. `met` is None where it was not measured."""

    case: str
    what: str
    measured: str
    must: str
    met: bool | None
    stretch: str = ""
    stretched: bool | None = None


def verdicts(results: dict[str, Any]) -> list[Verdict]:
    """Every goal, in the order of the issue's table."""
    bench = results.get("bench", {})
    found = bench.get("cases", {})
    rows = [
        *_ratio(found, "a", "CPU of a cached hit ÷ bare aiohttp application", 1.2, 0.8),
        *_ratio(found, "a_unlike", "the same, no two requests alike", 1.2, 0.8),
        *_ratio(found, "a_store", "a cached hit from the store ÷ bare aiohttp application", 1.7, 1.2),
        *_ratio(found, "b", "CPU of a miss ÷ bare aiohttp proxy", 1.3, 0.5),
        *_waiting(found),
        *_lists(found),
        *_sizes(bench),
        *_peers(found),
        *_soak(results.get("soak")),
    ]
    growth = results.get("growth", {})
    rows += [_growth(name, growth[name]) for name in CURVES if growth.get(name)]
    return rows


def _cpu(found: dict[str, Any], case: str, server: str) -> float | None:
    figures = found.get(case, {}).get(server)
    return None if figures is None else float(figures["cpu_us"])


def _least(value: float | None, limit: float) -> bool | None:
    return None if value is None else value >= limit


def _most(value: float | None, limit: float | None) -> bool | None:
    return None if value is None or limit is None else value <= limit


def _shown(value: float | None, unit: str = "", digits: int = 2) -> str:
    return "not measured" if value is None else f"{value:,.{digits}f}{unit}"


def _over(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one / other


def _ratio(found: dict[str, Any], case: str, what: str, must: float, stretch: float) -> Iterator[Verdict]:
    ratio = _over(_cpu(found, case, "gateway"), _cpu(found, case, "bare aiohttp"))
    met, stretched = _most(ratio, must), _most(ratio, stretch)
    yield Verdict(case, what, _shown(ratio, " ×"), f"≤ {must} ×", met, f"≤ {stretch} ×", stretched)


def _waiting(found: dict[str, Any]) -> Iterator[Verdict]:
    case = found.get("c", {})

    def of(server: str, name: str) -> float | None:
        return float(case[server][name]) if server in case else None

    mine, direct, nginx = (of(server, "p50_ms") for server in ("gateway", "upstream", "nginx"))
    added = None if mine is None or direct is None else mine - direct
    theirs = None if nginx is None or direct is None else nginx - direct
    stretched = _most(added, None if theirs is None else theirs + 0.05)
    yield Verdict(
        "c",
        "added to the median of an upstream of 50 ms",
        _shown(added, " ms"),
        "≤ 1 ms",
        _most(added, 1.0),
        f"nginx's {_shown(theirs, ' ms')}",
        stretched,
    )
    tail = _over(of("gateway", "p99_ms"), of("bare aiohttp", "p99_ms"))
    yield Verdict("c", "p99 ÷ bare aiohttp proxy", _shown(tail, " ×"), "≤ 1.1 ×", _most(tail, 1.1))


def _lists(found: dict[str, Any]) -> Iterator[Verdict]:
    cached, nginx = _cpu(found, "d", "gateway"), _cpu(found, "d", "nginx")
    yield Verdict("d", "CPU of 100 cached texts", _shown(cached, " µs", 0), "≤ 1,000 µs", _most(cached, 1_000))
    unlike = _cpu(found, "d_unlike", "gateway")
    what = "the same, another 100 of 1,000 texts each time"
    yield Verdict("d_unlike", what, _shown(unlike, " µs", 0), "≤ 1,000 µs", _most(unlike, 1_000))
    ratio = _over(cached, nginx)
    met, stretched = _most(ratio, 2.0), _most(ratio, 1.0)
    yield Verdict(
        "d", "100 cached texts ÷ nginx, which caches the body", _shown(ratio, " ×"), "≤ 2 ×", met, "≤ 1 ×", stretched
    )
    half, miss = _cpu(found, "e", "gateway"), _cpu(found, "b", "gateway")
    limit = None if cached is None or miss is None else cached + (OTHERS + 1) * miss
    must = f"≤ (d) + 50 × (b) = {_shown(limit, ' µs', 0)}"
    yield Verdict("e", "CPU of 100 texts, 50 of them new", _shown(half, " µs", 0), must, _most(half, limit))
    ranked = _cpu(found, "f", "gateway")
    yield Verdict("f", "CPU of 100 cached documents", _shown(ranked, " µs", 0), "≤ 500 µs", _most(ranked, 500))


def _sizes(bench: dict[str, Any]) -> Iterator[Verdict]:
    memory, scale, start = (bench.get(name, {}) for name in ("memory", "scale", "start"))
    peak = f" (up to {_shown(memory['peak_mb'], ' MB', 0)} under lists)" if "peak_mb" in memory else ""
    for name, what, more in (
        ("idle_mb", "a worker after its start", ""),
        ("busy_mb", "a worker with its in-process layer full, at rest", peak),
    ):
        value = memory.get(name)
        shown = _shown(value, " MB", 0) + more
        yield Verdict("memory", what, shown, "≤ 120 MB", _most(value, 120), "≤ 80 MB", _most(value, 80))
    entry = memory.get("entry_ratio")
    yield Verdict(
        "memory", "an entry in the store ÷ its float32 bytes", _shown(entry, " ×"), "≤ 1.1 ×", _most(entry, 1.1)
    )
    both = scale.get("scale")
    yield Verdict("scale", "two workers ÷ one, by CPU time", _shown(both, " ×"), "≥ 1.8 ×", _least(both, 1.8))
    seconds = start.get("seconds")
    yield Verdict("start", "serving, without the local model", _shown(seconds, " s"), "≤ 1.5 s", _most(seconds, 1.5))


def _peers(found: dict[str, Any]) -> Iterator[Verdict]:
    for case, peer, must in (("a", "LiteLLM", 100), ("b", "LiteLLM", 40), ("b", "Portkey", 6)):
        ratio = _over(_cpu(found, case, peer), _cpu(found, case, "gateway"))
        yield Verdict(case, f"{peer}'s CPU ÷ ours", _shown(ratio, " ×", 1), f"≥ {must} ×", _least(ratio, must))


def _soak(soak: dict[str, Any] | None) -> Iterator[Verdict]:
    rise = soak["rss_rise"] if soak else None
    shown = "not measured" if soak is None or rise is None else f"{rise:+.2%} in {soak['requests']:,} requests"
    met = (
        None if soak is None or rise is None else rise < MOST_RISE and soak["requests"] >= SOAKED and not soak["broken"]
    )
    yield Verdict("soak", "resident memory after warm-up", shown, "< 1 % in 1,000,000", met)
    flat = soak.get("flat") if soak else None
    counts = f"{soak['fds'][-1]:.0f} descriptors, {soak['tasks'][-1]:.0f} tasks" if soak else "not measured"
    yield Verdict("soak", "file descriptors and tasks", counts, "flat", flat)


CURVES = {
    "inputs_cached": "inputs of a call, all held in the process (`cache.memory`: 64 MiB)",
    "inputs_stored": "inputs of a call, all in the store alone (`cache.memory`: 0)",
    "inputs_new": "inputs of a call, all new",
    "entries": "entries in the store",
    "tenants": "tenants",
    "connections": "connections",
}


def exponent(points: list[dict[str, Any]]) -> float:
    """The steepest growth between points a factor of ten or more apart: cost as n to this power."""
    pairs = [
        (one, other) for at, one in enumerate(points) for other in points[at + 1 :] if other["n"] >= STEP * one["n"]
    ]
    steps = [math.log(other["cpu_us"] / one["cpu_us"]) / math.log(other["n"] / one["n"]) for one, other in pairs]
    return max(steps, default=0.0)


def _growth(name: str, points: list[dict[str, Any]]) -> Verdict:
    first, last, steepest = points[0], points[-1], exponent(points)
    ends = f"{first['cpu_us']:,.0f} µs at {first['n']:,}, {last['cpu_us']:,.0f} µs at {last['n']:,}"
    whole = f"{ends}; at worst as n^{max(0.0, steepest):.2f}"
    return Verdict("growth", CURVES[name], whole, "linear or better", steepest <= LINEAR)

"""The plots of docs/performance.md, as SVG files that only differ where the figures do."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from performance.cases import CASES
from performance.goals import CURVES
from performance.page import LETTERS

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = {
    "gateway": "#0b7285",
    "bare aiohttp": "#868e96",
    "nginx": "#2b8a3e",
    "Portkey": "#e67700",
    "LiteLLM": "#c92a2a",
}
mpl.rcParams |= {"svg.hashsalt": "gateway", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def draw(results: dict[str, Any], folder: Path) -> None:
    """Each plot whose figures are there."""
    folder.mkdir(parents=True, exist_ok=True)
    if cases := results.get("bench", {}).get("cases"):
        _cases(cases, folder / "cases.svg")
    if growth := results.get("growth"):
        _growth(growth, folder / "growth.svg")
    if soak := results.get("soak"):
        _soak(soak, folder / "soak.svg")


def _save(path: Path) -> None:
    plt.tight_layout()
    plt.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close()
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def _cases(cases: dict[str, Any], path: Path) -> None:
    """CPU a request, a group of bars a case."""
    shown = [case for case in CASES if case.key in cases]
    _, axes = plt.subplots(figsize=(9, 1 + 0.8 * len(shown)))
    for row, case in enumerate(shown):
        servers = [name for name in COLOURS if name in cases[case.key]]
        for at, name in enumerate(servers):
            cost, height = cases[case.key][name]["cpu_us"], 0.8 / len(COLOURS)
            place = row + (at - (len(servers) - 1) / 2) * height
            axes.barh(place, cost, height * 0.9, color=COLOURS[name], label=name)
            axes.text(cost * 1.08, place, f"{cost:,.0f}", va="center", fontsize=7)
    axes.set_yticks(range(len(shown)), [f"({LETTERS.get(case.key, case.key)}) {case.title}" for case in shown])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("CPU µs a request, logarithmic")
    named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(named.values(), named.keys(), loc="lower center", bbox_to_anchor=(0.3, 1), ncols=5, frameon=False)
    _save(path)


def _growth(growth: dict[str, Any], path: Path) -> None:
    """A panel a curve, both axes logarithmic, with a line of slope 1 to compare."""
    names = [name for name in CURVES if growth.get(name)]
    _, panels = plt.subplots(1, len(names), figsize=(2.6 * len(names), 2.8), squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        counts, costs = ([point[what] for point in growth[name]] for what in ("n", "cpu_us"))
        axes.plot(counts, costs, "o-", color=COLOURS["gateway"], markersize=3)
        if "inputs" in name:
            axes.plot(counts, [costs[0] * count / counts[0] for count in counts], ":", color="#868e96")
        axes.set(
            xscale="log",
            yscale="log",
            title=fill(CURVES[name].replace("`", ""), 34),
            ylim=(min(costs) / 3, max(costs) * 3),
        )
        axes.title.set_fontsize(8)
    panels[0][0].set_ylabel("CPU µs a request")
    _save(path)


def _soak(soak: dict[str, Any], path: Path) -> None:
    """Resident memory over time, from nothing."""
    _, axes = plt.subplots(figsize=(9, 2.4))
    seconds, memory = zip(*soak["curve"], strict=True)
    axes.plot(seconds, memory, color=COLOURS["gateway"])
    axes.set(xlabel="seconds", ylabel="MB, worker", ylim=(0, max(memory) * 1.2))
    _save(path)

"""E: draws dashboards from a running Prometheus with matplotlib, where no Grafana is at hand: same queries, our looks.

`python grafana/render.py http://127.0.0.1:9090 FOLDER --minutes 5 overview savings` writes FOLDER/overview.png and so on.
Needs the extra `bench`. bench/dashboards.py runs a gateway under traffic and draws docs/dashboards.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import matplotlib as mpl
from matplotlib.ticker import MultipleLocator
from PIL import Image

mpl.use("agg")
from matplotlib import pyplot as plt  # after it is said that there is no screen

BOARDS = Path(__file__).parent / "dashboards"
COLUMNS, UNIT_INCHES, UNIT_HEIGHT, DPI = 24, 0.5, 0.36, 80
COLOURS = 48
"""Of the picture: lines and letters need no more, and it stays small."""

MOST_LINES = 12
POINTS = 120
LABEL = "drawn by grafana/render.py from this dashboard's own queries; not a screenshot of Grafana"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A Prometheus, and the time that is looked at."""

    url: str
    seconds: float
    until: float

    def series(self, query: str) -> list[Json]:
        """Its matrix over the time, some points of it."""
        step = max(1.0, self.seconds / POINTS)
        asked = {"query": self._filled(query), "start": self.until - self.seconds, "end": self.until, "step": step}
        return self._ask("query_range", asked)

    def now(self, query: str) -> list[Json]:
        """Its vector at the end of the time."""
        return self._ask("query", {"query": self._filled(query), "time": self.until})

    def _filled(self, query: str) -> str:
        words = {"__rate_interval": "30s", "__range": f"{self.seconds:.0f}s", "tenant": ".*", "backend": ".*"}
        return re.sub(r"\$(\w+)", lambda found: words[found[1]], query)

    def _ask(self, path: str, asked: Json) -> list[Json]:
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(asked)}") as answer:  # noqa: S310 - who starts this says where
            result: list[Json] = json.load(answer)["data"]["result"]
        return result


def written(value: float, unit: str) -> str:
    """A number as people read it."""
    if not math.isfinite(value):
        return "none"
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s":
        return f"{value:.3g} s" if value >= 1 else f"{1_000 * value:.3g} ms"
    if unit == "currencyUSD":
        return f"${value:.4g}"
    if unit == "bytes":
        step = 0
        while value >= 1024 and step < 3:  # noqa: PLR2004 - KiB
            value, step = value / 1024, step + 1
        return f"{value:.3g} {('B', 'KiB', 'MiB', 'GiB')[step]}"
    ends = {"reqps": " req/s", "ops": " /s"}
    short = f"{value / 1e6:.3g} M" if value >= 1e6 else f"{value / 1e3:.4g} k" if value >= 1e4 else f"{value:.4g}"  # noqa: PLR2004 - thousands
    return short + ends.get(unit, "")


def legend(pattern: str, labels: dict[str, str]) -> str:
    """Grafana's `{{label}}` filled in."""
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), pattern).strip()


def lines(axes: Any, panel: Json, source: Source, unit: str) -> bool:  # noqa: ANN401 - matplotlib's own classes say little
    """A panel of lines; whether there was anything to draw."""
    drawn = 0
    for target in panel["targets"]:
        for found in source.series(target["expr"])[:MOST_LINES]:
            points = [(float(at) - source.until, float(value)) for at, value in found["values"]]
            axes.plot(*zip(*points, strict=True), label=legend(target["legendFormat"], found["metric"]), linewidth=1.3)
            drawn += 1
    axes.set_xlim(-source.seconds, 0)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MultipleLocator(60 * math.ceil(source.seconds / 420)))
    axes.xaxis.set_major_formatter(lambda at, _: f"{at / 60:.3g} min")
    axes.yaxis.set_major_formatter(lambda value, _: written(value, unit))
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=7)
    if drawn:
        axes.legend(fontsize=6, loc="upper left", framealpha=0.7, ncols=2)
    return bool(drawn)


def words(axes: Any, panel: Json, source: Source, unit: str) -> bool:  # noqa: ANN401 - as above
    """A panel of one number, or of a table."""
    axes.set_axis_off()
    found = [one for target in panel["targets"] for one in source.now(target["expr"])]
    if panel["type"] == "stat" and found:
        axes.text(
            0.5,
            0.42,
            written(float(found[0]["value"][1]), unit),
            ha="center",
            va="center",
            fontsize=19,
            color="#1f5fa8",
        )
    if panel["type"] == "heatmap":
        axes.text(0.5, 0.5, "a heat map: Grafana draws it", ha="center", va="center", color="#999999", fontsize=9)
    for row, one in enumerate(found[:8] if panel["type"] == "table" else ()):
        said = "  ".join(f"{name}={value}" for name, value in one["metric"].items())
        axes.text(0.02, 0.9 - row / 9, f"{said}  {written(float(one['value'][1]), unit)}", fontsize=8, va="top")
    return bool(found)


def draw(name: str, source: Source, path: Path) -> None:
    """One dashboard as a picture."""
    board = json.loads((BOARDS / f"{name}.json").read_text())
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) + 1
    figure = plt.figure(figsize=(COLUMNS * UNIT_INCHES, height * UNIT_HEIGHT), facecolor="white")
    figure.text(0.01, 1 - 0.5 / height, board["title"], fontsize=13, va="center", weight="bold")
    figure.text(0.99, 1 - 0.5 / height, LABEL, fontsize=8, va="center", ha="right", color="#666666")
    for panel in board["panels"]:
        at, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
        left, bottom = (at["x"] + 1.3) / COLUMNS, 1 - (at["y"] + at["h"] + 0.25) / height
        axes = figure.add_axes((left, bottom, (at["w"] - 1.7) / COLUMNS, (at["h"] - 1.6) / height))
        axes.set_title(panel["title"], fontsize=9, loc="left")
        if not (lines if panel["type"] == "timeseries" else words)(axes, panel, source, unit):
            axes.text(
                0.5, 0.5, "no data", ha="center", va="center", color="#999999", transform=axes.transAxes, fontsize=9
            )
    drawn = BytesIO()
    figure.savefig(drawn, dpi=DPI)
    plt.close(figure)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=[path.stem for path in sorted(BOARDS.glob("*.json"))])
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    source = Source(options.url.rstrip("/"), 60 * options.minutes, time.time())
    for name in options.names:
        draw(name, source, options.folder / f"{name}.png")


if __name__ == "__main__":
    main()

"""Write docs/performance.md and its plots from docs/performance/results.json. `make bench-page`."""

from __future__ import annotations

from instructions import recorded
from performance.page import page
from performance.plots import draw
from performance.results import FILE, load

if __name__ == "__main__":
    RESULTS = load()
    (FILE.parents[1] / "performance.md").write_text(page(RESULTS, recorded()))
    draw(RESULTS, FILE.parent)

"""The table of docs/performance.md: the gateway beside bare aiohttp, nginx, LiteLLM and Portkey. `make bench`.

python bench/measure.py [--only a,b] [--seconds 4] [--rounds 3] [--minutes 14]. Each case is written to
docs/performance/results.json when it is done, so that one that went wrong can be measured again by itself.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from performance import results, sizes
from performance.cases import CASES
from performance.checks import WrongAnswerError, check
from performance.load import Run, drive
from performance.servers import INSTALLED, Server
from performance.upstream import upstream

if TYPE_CHECKING:
    from performance.cases import Case
    from performance.programs import Program

WARM_SECONDS = 1.0
PEER_TIMES = 2
"""Slow peers get one run that is so much longer."""

FEWEST = 10
"""Answers below which a figure says nothing: what was begun and not answered would be most of it."""

QUIET = 0.10
"""Others may use so much of the machine; more is told."""


def tell(text: str) -> None:
    """A line of progress, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def median_of(runs: list[Run]) -> dict[str, Any]:
    """The median of each figure; of faults the sum, of disturbance the worst."""
    listed = [asdict(run) for run in runs]
    names = ("cpu_us", "rate", "p50_ms", "p99_ms", "rss_mb")
    figures: dict[str, Any] = {name: float(statistics.median(run[name] for run in listed)) for name in names}
    figures |= {name: sum(run[name] for run in listed) for name in ("requests", "refused", "broken")}
    parts = {name: statistics.median(run.parts.get(name, 0.0) for run in runs) for name in runs[0].parts}
    figures |= {"others": max(run.others for run in runs), "spread": [round(run.cpu_us, 1) for run in runs]}
    return {**results.rounded(figures), "parts": results.rounded(parts)}


def opened(case: Case, folder: Path, behind: Program, stack: ExitStack) -> dict[str, Server]:
    """Every server of a case that is installed, running and checked; bare aiohttp sends what the gateway did."""
    running: dict[str, Server] = {}
    body = b""
    for name, opener in case.servers.items():
        if name in INSTALLED and not INSTALLED[name]():
            tell(f"  {name} is not installed")
            continue
        try:
            with ExitStack() as attempt:
                server = attempt.enter_context(opener(folder, behind, body))
                for earlier in case.before if name == "gateway" else ():
                    check(server, case.load, earlier)
                answer = check(server, case.load, case.probe)
                check(server, case.load, case.probe)
                stack.push(attempt.pop_all())
        except (WrongAnswerError, RuntimeError, URLError, KeyError, ValueError) as error:
            if name == "gateway":
                raise
            tell(f"  {name} is left out: {error}")
            continue
        body = body or answer
        running[name] = server
    return running


def measured(case: Case, folder: Path, seconds: float, rounds: int) -> dict[str, Any]:
    """All servers of a case, in turn, round by round."""
    found: dict[str, list[Run]] = {}
    with upstream(folder, case.delay) as behind, ExitStack() as stack:
        running = opened(case, folder, behind, stack)
        if case.delay:
            found["upstream"] = [drive(Server("upstream", behind), case.load, seconds)]
        for turn in range(rounds):
            for name, server in running.items():
                if turn and name in case.peers:
                    continue
                drive(server, case.load_of(name), WARM_SECONDS)
                lasting = seconds * PEER_TIMES if name in case.peers else seconds
                found.setdefault(name, []).append(drive(server, case.load_of(name), lasting))
                tell(f"  round {turn + 1}: {name} {found[name][-1].cpu_us:,.0f} µs")
    few = [name for name, runs in found.items() if sum(run.requests for run in runs) < FEWEST]
    if few:
        tell(f"  too few answers came to count: {', '.join(few)}")
    return {name: median_of(runs) for name, runs in found.items() if name not in few}


def report(case: Case, figures: dict[str, Any]) -> None:
    """What came of a case, as lines of progress."""
    for name, of in figures.items():
        noise = "" if of["others"] < QUIET else f"; OTHERS USED {of['others']:.0%} OF THE MACHINE"
        faults = f"; {of['refused']} refused, {of['broken']} broken" if of["refused"] or of["broken"] else ""
        tell(
            f"  ({case.key}) {name}: {of['cpu_us']:,.1f} µs CPU, {of['rate']:,.0f} requests/s, "
            f"p50 {of['p50_ms']:.2f} ms, p99 {of['p99_ms']:.2f} ms, {of['rss_mb']:.0f} MB{faults}{noise}"
        )


def main() -> int:
    """Measure what is asked for; 1 if something was left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases by their letters, as a,b,scale; by default all")
    parser.add_argument("--seconds", type=float, default=4.0, help="that each run takes")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each server; the median counts")
    parser.add_argument("--minutes", type=float, default=14.0, help="no case is begun after so long")
    options = parser.parse_args()
    wanted = set(filter(None, options.only.split(",")))
    deadline = time.monotonic() + options.minutes * 60
    left_out = []
    bench = results.load().get("bench", {"cases": {}})
    bench |= results.circumstances() | {"seconds": options.seconds, "rounds": options.rounds}
    with tempfile.TemporaryDirectory(prefix="gwb", dir="/tmp") as name:
        work = {case.key: case for case in CASES}
        for key in (*work, *sizes.MEASURES):
            if wanted and key not in wanted:
                continue
            if time.monotonic() > deadline:
                left_out.append(key)
                continue
            folder = Path(name) / key
            folder.mkdir()
            tell(f"({key}) {work[key].title if key in work else sizes.MEASURES[key].__doc__}")
            if key in work:
                figures = measured(work[key], folder, options.seconds, options.rounds)
                report(work[key], figures)
                bench["cases"][key] = figures
            else:
                bench[key] = results.rounded(sizes.MEASURES[key](folder, options.seconds))
                tell(f"  {bench[key]}")
            bench.setdefault("of", {})[key] = bench["commit"]
            results.save("bench", bench)
    if left_out:
        tell(f"No time was left for {', '.join(left_out)}: python bench/measure.py --only {','.join(left_out)}")
    return 1 if left_out else 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/performance.md out of results.json: fixed words from page.md, figures and verdicts from here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from performance.cases import CASES
from performance.goals import CURVES, Verdict, verdicts

TEMPLATE = Path(__file__).with_name("page.md")
ABSENT = "*Not measured yet: `{command}`.*"
SIGN = {True: "met", False: "**not met**", None: "not measured"}
NAMES = {case.key: case.title for case in CASES}
LETTERS = {"a_store": "a′", "a_unlike": "a″", "b_alone": "b′", "d_unlike": "d″"}
QUIET = 0.10
SERVERS = ("gateway", "bare aiohttp", "nginx", "Portkey", "LiteLLM")
PLOT = "\n\n![{about}](performance/{name}.svg)"


def page(results: dict[str, Any], instructions: dict[str, dict[str, int]]) -> str:
    """The whole page."""
    bench, listed = results.get("bench", {}), verdicts(results)
    parts = {
        "circumstances": _circumstances(bench),
        "goals": _goals(listed),
        "not_met": _not_met(listed),
        "rounds": str(bench.get("rounds", 3)),
        "cases": _cases(bench.get("cases", {})),
        "parts": _parts(bench.get("cases", {})),
        "machine": bench.get("machine", "Not known yet"),
        "versions": ", ".join(f"{name} {number}" for name, number in bench.get("versions", {}).items() if number)
        or "Not known yet",
        "growth": _growth(results.get("growth", {})),
        "micro": _micro(results.get("micro")),
        "instructions": "; ".join(_instructions(place, of) for place, of in sorted(instructions.items())),
        "soak": _soak(results.get("soak")),
    }
    text = TEMPLATE.read_text()
    for name, value in parts.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def _circumstances(bench: dict[str, Any]) -> str:
    if "when" not in bench:
        return "Nothing was measured yet."
    worst = {
        name: max((figures["others"] for figures in case.values()), default=0.0)
        for name, case in bench["cases"].items()
    }
    noisy = ", ".join(f"({name}): {share:.0%}" for name, share in worst.items() if share > QUIET)
    rest = max((share for share in worst.values() if share <= QUIET), default=0.0)
    busy = f" **The machine was not quiet** in {noisy} of it was others', so take no figure of that." if noisy else ""
    before: dict[str, list[str]] = {commit: [] for commit in bench.get("of", {}).values() if commit != bench["commit"]}
    for name, commit in bench.get("of", {}).items():
        if commit in before:
            before[commit].append(name)
    older = "".join(f"; of commit {commit}: {', '.join(sorted(names))}" for commit, names in sorted(before.items()))
    return f"Of {bench['when']}, commit {bench['commit']}{older}. Others used at most {rest:.0%} of the machine.{busy}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _letter(case: str) -> str:
    return f"({LETTERS.get(case, case)})" if case in NAMES else case


def _goals(listed: list[Verdict]) -> str:
    rows = [
        [
            _letter(one.case),
            one.what,
            one.measured,
            one.must,
            SIGN[one.met],
            f"{one.stretch}: {SIGN[one.stretched]}" if one.stretch else "",
        ]
        for one in listed
    ]
    return _table(["case", "what", "measured", "goal", "", "stretch"], rows)


def _not_met(listed: list[Verdict]) -> str:
    missed = [one for one in listed if one.met is False]
    if not missed:
        return "All goals that were measured are met."
    named = "\n".join(f"- {_letter(one.case)} {one.what}: {one.measured}, wanted {one.must}" for one in missed)
    return f"**Not met** ({len(missed)} of {len(listed)}):\n\n{named}"


def _cases(found: dict[str, Any]) -> str:
    rows = []
    for case, servers in ((case, found[case]) for case in NAMES if case in found):
        for server, of in ((server, servers[server]) for server in SERVERS if server in servers):
            faults = f"{of['refused'] + of['broken']} failed" if of["refused"] or of["broken"] else ""
            times = [f"{of['p50_ms']:,.2f}", f"{of['p99_ms']:,.2f}"]
            figures = [
                f"{of['cpu_us']:,.1f}",
                f"{of['rate']:,.0f}",
                *times,
                f"{of['rss_mb']:,.0f}",
                f"{of['others']:.0%}",
            ]
            rows.append([f"({LETTERS.get(case, case)}) {NAMES[case]}", server, *figures, faults])
    if not rows:
        return ABSENT.format(command="make bench")
    table = _table(["case", "server", "CPU µs", "requests/s", "p50 ms", "p99 ms", "MB", "others", ""], rows)
    return table + PLOT.format(about="CPU of each case", name="cases")


def _parts(found: dict[str, Any]) -> str:
    """Where the gateway's CPU time goes."""
    rows = [
        [
            _letter(case),
            *(f"{found[case]['gateway']['parts'].get(part, 0.0):,.1f}" for part in ("worker", "store", "rest")),
        ]
        for case in NAMES
        if "gateway" in found.get(case, {})
    ]
    return "Of the gateway's:\n\n" + _table(["case", "worker µs", "store µs", "supervisor µs"], rows) if rows else ""


ROOM = (
    "Calls whose texts are known are the same call again and again. With their JSON 2,048 vectors of 1,024 values take "
    "33 MB, more than `cache.memory` is by default (16 MiB): then a part of them is made or fetched again at times, "
    "which costs between the first two tables."
)


def _growth(growth: dict[str, Any]) -> str:
    if not growth:
        return ABSENT.format(command="make bench-growth")
    tables = []
    for name, title in CURVES.items():
        if points := growth.get(name):
            per = "inputs" in name
            head = ["", *(f"{point['n']:,}" for point in points)]
            rows = [["CPU µs a request", *(f"{point['cpu_us']:,.0f}" for point in points)]]
            if per:
                rows.append(["CPU µs an input", *(f"{point['cpu_us'] / point['n']:,.1f}" for point in points)])
            if failed := sum(point["refused"] + point["broken"] for point in points):
                title = f"{title} ({failed} requests failed)"  # noqa: PLW2901 - the title of this table only
            tables.append(f"**{title[0].upper()}{title[1:]}**\n\n{_table(head, rows)}")
    words = f"Of {growth['when']}, commit {growth['commit']}."
    return "\n\n".join([words, ROOM, *tables]) + PLOT.format(about="Cost as work grows", name="growth")


def _micro(micro: dict[str, Any] | None) -> str:
    if micro is None:
        return ABSENT.format(command="make bench-micro")
    counts = sorted({count for of in micro["steps"].values() for count in of}, key=int)
    head = ["step", *(f"{int(count):,} text{'s' * (count != '1')}, µs" for count in counts)]
    rows = [
        [
            name,
            *(f"{of[count]['us']:,.1f} ± {of[count]['deviation_us']:,.1f}" if count in of else "" for count in counts),
        ]
        for name, of in micro["steps"].items()
    ]
    by = f"by pyperf {micro['pyperf']}: the gateway's own functions, all texts cached."
    words = f"Of {micro['when']}, commit {micro['commit']}, {by}"
    return f"{words}\n\n{_table(head, rows)}"


def _instructions(place: str, of: dict[str, int]) -> str:
    kinds = ("hit", "form", "stored", "pipeline", "miss", "misses")
    hit, form, stored, whole, miss, company = (of.get(kind, 0) for kind in kinds)
    hits = f"{hit:,} a hit, {form:,} of a known form, {stored:,} from the store, {whole:,} through the whole pipeline"
    return f"Python {place}: {hits}, {miss:,} a miss, {company:,} one of 16 of the same moment"


def _soak(soak: dict[str, Any] | None) -> str:
    if soak is None:
        return ABSENT.format(command="make soak")
    fds, tasks = (", ".join(f"{count:.0f}" for count in soak[name]) for name in ("fds", "tasks"))
    sent = "80 % hits, 12 % misses, 3 % lists with two new texts of ten, 5 % refused (401, 400, 422)"
    words = [
        f"Of {soak['when']}, commit {soak['commit']}: {soak['requests']:,} requests over 64 connections, {sent};",
        f"{soak['broken']} broken. {soak['cpu_us']:,.0f} µs CPU a request.",
        f"Resident memory of the worker {soak['rss_mb']:.0f} MB at the end.",
        f"Between slices of load: file descriptors {fds}; tasks {tasks}.",
    ]
    return " ".join(words) + PLOT.format(about="Memory of the worker", name="soak")

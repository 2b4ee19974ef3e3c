"""E: what GET /admin/live tells, as a screen for a terminal or as plain lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gateway.edge.console.curves import UNKNOWN, milliseconds, percent, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType
    from rich.table import Table

    Told = Mapping[str, Any]

KINDS = {
    "requests": "requests a minute",
    "tokens": "tokens a minute",
    "concurrency": "requests at once",
    "usd": "US dollars",
}
SCOPES = {"tenant": "all its calls", "total": "all calls", "upstream": "upstream key of"}

_FULL, _HIGH = 0.9, 0.7
_SHOWN = 10


def plain(told: Told) -> list[str]:
    """A line each: a name, two spaces at least, what is known of it."""
    rows = [*_figures(told["now"], told["minute"]), ("workers", f"{told['workers']} on the store")]
    rows += [("limit", f"{whose(bound)}: {used(bound)} ({percent(bound['share'])})") for bound in told["limits"]]
    rows += [("backend", f"{name} {model}: {state}") for name, model, state, _ in _places(told)]
    rows += [
        ("tenant", f"{row['tenant'] or 'none'}: {short(row['tokens'])} tokens a second") for row in told["tenants"]
    ]
    return [f"{name:<10}{text}" for name, text in rows]


def screen(told: Told, url: str, problem: str = "") -> RenderableType:
    """All of it; `problem` says why it is old."""
    from rich.console import Group  # noqa: PLC0415 - slow to import, and of no use to `gateway --help`
    from rich.text import Text  # noqa: PLC0415 - as above

    at = time.strftime("%H:%M:%S", time.localtime(told["at"]))
    head = Text(f"gateway top  {url}  {told['workers']} workers  {at}   q leaves", style="bold")
    parts: list[RenderableType] = [head]
    if problem:
        parts.append(Text(f"{problem}; these figures are of {at}", style="bold red"))
    parts += [_rates(told), _limits(told), _backends(told), _tenants(told)]
    return Group(*parts)


def whose(bound: Mapping[str, Any]) -> str:
    """Whose limit it is, of what."""
    place = SCOPES.get(bound["scope"], bound["scope"])
    parts = (bound["tenant"] or "everybody", place, bound["name"], kind(bound))
    return " ".join(part for part in parts if part)


def kind(bound: Mapping[str, Any]) -> str:
    """What is counted; a budget's tokens are not by the minute."""
    return "tokens" if (bound["scope"], bound["kind"]) == ("budget", "tokens") else KINDS[bound["kind"]]


def used(bound: Mapping[str, Any]) -> str:
    """What is used, of how much."""
    return f"{amount(bound, 'used')} of {amount(bound, 'limit')}"


def amount(bound: Mapping[str, Any], name: str) -> str:
    """A bound's figure."""
    return f"${bound[name]}" if bound["kind"] == "usd" else f"{bound[name]:,}"


def _figures(now: Told, minute: Told) -> list[tuple[str, str]]:
    """What happens now (the last 15 seconds), and latencies of a minute: of fewer calls they say little."""
    share = UNKNOWN if now["hit_share"] is None else percent(now["hit_share"])
    known = minute["p50"] is not None
    latency = f"p50 {milliseconds(minute['p50'])}, p99 {milliseconds(minute['p99'])}" if known else UNKNOWN
    rate = {name: short(now[name]) for name in ("requests", "refused", "failed", "paid", "saved", "upstream")}
    return [
        ("requests", f"{rate['requests']} a second, refused {rate['refused']}, failed {rate['failed']}"),
        ("hits", f"{share} of inputs"),
        ("latency", latency),
        ("tokens", f"{rate['paid']} a second paid for, {rate['saved']} saved"),
        ("money", f"${short(now['saved_usd'] * 3_600)} an hour saved"),
        ("upstream", f"{rate['upstream']} calls a second"),
    ]


def _places(told: Told) -> list[tuple[str, str, str, int]]:
    """Backends that are not well come first; models that nobody asked are left out, if any was."""
    rows = [
        (backend["name"], model["name"], model["state"], model["tokens"], model["well"])
        for backend in told["backends"]
        for model in backend["models"]
    ]
    asked = [row for row in rows if row[2] != "not asked yet"] or rows
    return [row[:4] for row in sorted(asked, key=lambda row: row[4])][:_SHOWN]


def _table(title: str, *columns: str) -> Table:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1))
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", no_wrap=True)
    return table


def _rates(told: Told) -> RenderableType:
    table = _table("", "", "")
    table.show_header = False
    for name, text in _figures(told["now"], told["minute"]):
        table.add_row(name, text)
    return table


def _limits(told: Told) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - as above

    table = _table("Limits used most", "whose", ">used", ">allowed", ">share")
    for bound in told["limits"]:
        share = bound["share"]
        colour = "red" if share >= _FULL else "yellow" if share >= _HIGH else ""
        row = (whose(bound), amount(bound, "used"), amount(bound, "limit"), percent(share))
        table.add_row(*(Text(part, style=colour) for part in row))
    return table if told["limits"] else Text("Nothing is used of any limit now.", style="dim")


def _backends(told: Told) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - as above

    table = _table("Backends", "backend", "model", "state", ">tokens under way")
    for name, model, state, tokens in _places(told):
        colour = "green" if state == "well" else "" if state == "not asked yet" else "red"
        table.add_row(Text(name), Text(model), Text(state, style=colour), f"{tokens:,}")
    return table


def _tenants(told: Told) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - as above

    table = _table("Busiest tenants", "tenant", ">tokens a second")
    for row in told["tenants"]:
        table.add_row(Text(row["tenant"] or "none"), short(row["tokens"]))
    return table if told["tenants"] else Text("No tokens in the last minute.", style="dim")

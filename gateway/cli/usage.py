"""E: `gateway usage`: what was used and what it cost, from the ledger in the store."""

from __future__ import annotations

import csv
import json
import sys
import time
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.settle.statement import FIELDS, By, figures, grouped, hours, moment_of
from gateway.vocabulary import total

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.stores.redis.client import Client
    from gateway.stores.redis.keys import Keys
    from gateway.vocabulary import Account, Tally

_WIDE = 200


class Form(StrEnum):
    """How rows are shown."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def usage(  # noqa: PLR0913 - each is an option
    *,
    tenant: Annotated[str | None, typer.Option(help="One tenant; by default all.")] = None,
    since: Annotated[str, typer.Option(help="Date or time (2026-01-31T12:00, UTC) or age (7d, 12h).")] = "7d",
    until: Annotated[str | None, typer.Option(help="As --since; by default now. Whole hours are shown.")] = None,
    by: Annotated[By, typer.Option(help="What rows are summed by.")] = By.MODEL,
    form: Annotated[Form, typer.Option("--format", help="How rows are shown.")] = Form.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="As --format json.")] = False,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Of the running gateway (default ./gateway-data).")] = None,
) -> None:
    """Requests, tokens, cost and savings, up to a second ago. Only answered requests are counted."""
    from gateway.cli.store import ledger_on, on_store, settings  # noqa: PLC0415 - `gateway --help` needs none of this

    first, last = _hours(since, until)
    chosen = settings(config, data_dir)

    async def read(client: Client, keys: Keys) -> list[tuple[Account, Tally]]:
        ledger = ledger_on(client, keys, chosen.ledger.retain_days)
        names = await ledger.tenants() if tenant is None else [tenant]
        return [row for name in names for row in await ledger.rows(name, first, last)]

    rows = on_store(chosen, read)
    sums = grouped(rows, by)
    if form is Form.CSV and not as_json:
        _csv(by, sums)
    elif as_json or form is Form.JSON:
        period = {"since": moment_of(first), "until": moment_of(last)}
        typer.echo(json.dumps({"tenant": tenant, "period": period, **_content(by, sums)}))
    else:
        _table(by, sums)


def _hours(since: str, until: str | None) -> tuple[int, int]:
    from gateway.vocabulary.when import moment  # noqa: PLC0415 - as above

    now = int(time.time())
    seconds = []
    for option, text in (("--since", since), ("--until", until)):
        try:
            seconds.append(now if text is None else moment(text, now))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint=option) from None
    return hours(*seconds)


def _content(by: By, sums: Mapping[str, Tally]) -> dict[str, object]:
    rows = [{by.value: name, **figures(tally)} for name, tally in sums.items()]
    return {"by": by.value, "rows": rows, "totals": figures(total(sums.values()))}


def _csv(by: By, sums: Mapping[str, Tally]) -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow([by.value, *FIELDS])
    table.writerows([name, *figures(tally).values()] for name, tally in sums.items())


def _table(by: By, sums: Mapping[str, Tally]) -> None:
    from rich.box import SIMPLE  # noqa: PLC0415 - as above
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(by.value, box=SIMPLE, show_footer=True)
    whole = figures(total(sums.values()))
    table.columns[0].footer = "total"
    for field in FIELDS:
        table.add_column(field, _shown(whole[field]), justify="right")
    for name, tally in sums.items():
        table.add_row(name, *map(_shown, figures(tally).values()))
    Console(width=None if sys.stdout.isatty() else _WIDE, markup=False).print(table)


def _shown(figure: int | str) -> str:
    return f"{figure:,}" if isinstance(figure, int) else figure

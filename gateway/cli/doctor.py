"""E: `gateway doctor`: looks at a deployment and says what to fix."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.cli.verdicts import Verdict

UNWELL = 1


def doctor(
    config: Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG, else defaults.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="As for `gateway serve`.")] = None,
) -> None:
    """Look at configuration, host, ports, store and backends; exit code 1 where something is to be fixed.

    Run it where the gateway runs, as its user. It changes nothing and spends nothing.
    """
    # Imported here: none of it is of use to `gateway --help`.
    from gateway.cli.examine import host, outside  # noqa: PLC0415 - see above
    from gateway.cli.store import settings  # noqa: PLC0415 - see above
    from gateway.cli.verdicts import Grade  # noqa: PLC0415 - see above
    from gateway.config.defaults import with_defaults  # noqa: PLC0415 - see above

    chosen = with_defaults(settings(config, data_dir))
    found = [*host(chosen), *asyncio.run(outside(chosen))]
    _show(found)
    wrong = sum(verdict.grade is Grade.WRONG for verdict in found)
    if wrong:
        typer.echo(f"{wrong} problem{'s' if wrong > 1 else ''} found", err=True)
        raise typer.Exit(UNWELL)


def _show(found: Sequence[Verdict]) -> None:
    """A table on a terminal, a line each elsewhere."""
    if not sys.stdout.isatty():
        for verdict in found:
            remedy = f"; {verdict.remedy}" if verdict.remedy else ""
            typer.echo(f"{verdict.grade:8}{verdict.thing}: {verdict.said}{remedy}")
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table("", "what", "how it is", "what to do", box=None)
    colours = {"ok": "green", "note": "yellow", "problem": "red"}
    for verdict in found:
        grade = Text(str(verdict.grade), style=colours[verdict.grade])
        table.add_row(grade, *(Text(part) for part in (verdict.thing, verdict.said, verdict.remedy)))
    Console().print(table)

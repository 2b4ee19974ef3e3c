"""E: `gateway audit`: who changed which tenant or key, and when."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.administer import ConfigFile, DataDir, administer, table


def audit(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries shown, the newest first.")] = 50,
    config: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Show who changed which tenant or key, and when. Keys themselves are never in the log."""
    from gateway.vocabulary.when import shown  # noqa: PLC0415 - no use to `gateway --help`

    entries = administer(config, data_dir, lambda desk: desk.audit("", limit))
    rows = [
        (
            shown(entry.at),
            entry.who,
            entry.what,
            entry.target,
            " ".join(f"{name}={value}" for name, value in entry.details.items()),
        )
        for _, entry in entries
    ]
    table(("when", "who", "what", "target", "details"), rows)

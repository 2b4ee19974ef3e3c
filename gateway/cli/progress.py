"""E: how far a long command is: a live line on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLAIN_EVERY = 10_000


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int], None]]:
    """A function that is told how many more are done; everything goes to standard error."""
    if not sys.stderr.isatty():
        yield _plain(doing)
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and of no use to `gateway --help`
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - as above

    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as live:
        task = live.add_task(doing, total=None)
        yield lambda count: live.advance(task, count)


def _plain(doing: str) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        if before // PLAIN_EVERY != done // PLAIN_EVERY:
            typer.echo(f"{doing} {done:,}", err=True)

    return advance

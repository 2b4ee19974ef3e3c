"""E: what the supervisor says on standard error: plain lines, and a moving status on a terminal."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def say(message: str) -> None:
    """One line for the operator."""
    sys.stderr.write(f"gateway: {message}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def progress(message: str) -> Iterator[None]:
    """Show that something takes its time: a spinner on a terminal, else one line."""
    if not sys.stderr.isatty():
        say(message)
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - 50 ms that only a terminal's user needs to wait for

    with Console(stderr=True).status(message):
        yield

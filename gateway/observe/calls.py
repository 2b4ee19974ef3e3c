"""E: which calls to backends were made for one request, where somebody wants to know that."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Told = tuple[str, str, float, int]

_WATCHED: ContextVar[list[Told] | None] = ContextVar("watched", default=None)
"""Tasks that a request starts see it, too. A call that carries inputs of several requests is its first one's."""


@contextmanager
def watched() -> Iterator[list[Told]]:
    """A list of backend, outcome, seconds and tokens of every call that this request makes while the block runs."""
    calls: list[Told] = []
    token = _WATCHED.set(calls)
    try:
        yield calls
    finally:
        _WATCHED.reset(token)


def note(backend: str, outcome: str, seconds: float, tokens: int) -> None:
    """A call ended."""
    calls = _WATCHED.get()
    if calls is not None:
        calls.append((backend, outcome, seconds, tokens))

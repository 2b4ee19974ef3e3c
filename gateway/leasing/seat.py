"""P: a worker's place among all that share a store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seat:
    """`worker` is its name, unique for ever; `predecessor` that of the worker which had its place and died, if any.

    `first_run` is the run id of a server that was started for this gateway, before any of its workers.
    """

    worker: str
    predecessor: str = ""
    first_run: str = ""

"""P: a turn while a worker has it, and the two ways in which its work ends early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from gateway.ports.jobs import State, Turn


class PutOff(Exception):  # noqa: N818 - what to do next, not a defect
    """Nothing was done that would be lost: somebody may take the turn after that many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(slots=True, eq=False)
class Hold:
    """`state` is the job's as of the last heartbeat; `leaving`: the worker is about to stop."""

    turn: Turn
    state: State
    leaving: bool = False
    task: asyncio.Task[Any] | None = None

    @property
    def goes_on(self) -> bool:
        """Whether more may be sent for the job."""
        return not (self.leaving or self.state.ended)

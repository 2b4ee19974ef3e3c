"""C: how long each stage of a request takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.ports import Clock, Observer
    from gateway.vocabulary import Facts, Stage


class Timed:
    """Times what runs inside a `with` block, however it ends. Without a generator: six are in every request's way.

    `started` is when, in Clock.monotonic seconds.
    """

    __slots__ = ("_clock", "_facts", "_observer", "_stage", "started")

    def __init__(self, clock: Clock, observer: Observer, facts: Facts, stage: Stage) -> None:
        self._clock = clock
        self._observer = observer
        self._facts = facts
        self._stage = stage
        self.started = 0.0

    def __enter__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The stage begins."""
        self.started = self._clock.monotonic()

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """The stage is over."""
        seconds = self._clock.monotonic() - self.started
        self._facts.stages.append((self._stage, seconds))
        self._observer.stage(self._stage, seconds)
        if self._facts.trace is not None:
            self._facts.trace.stage(self._stage, self.started, seconds)

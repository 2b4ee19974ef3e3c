"""C: what was answered without the pipeline comes into the metrics a little later, many calls at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.errors import GatewayError
    from gateway.ports import Clock
    from gateway.tasks import TaskGroup
    from gateway.vocabulary import Facts

REPORT_SECONDS = 0.25
"""What was answered is in the metrics after so long, and whenever this process shows them."""


class FastObserver(Protocol):
    """ports.Observer, of calls that are told together; and of others."""

    def records(self, traceparent: str) -> bool:
        """Whether spans are wanted of a request; `traceparent` is that header, empty without one."""
        ...

    def wanted(self, seconds: float) -> bool:
        """Whether a successful request that took so long is to be logged."""
        ...

    def line(self, facts: Facts, seconds: float, traceparent: str = "") -> None:
        """Log one."""
        ...

    def repeated(self, facts: Facts, seconds: Sequence[float], times: int | None = None) -> None:
        """As many requests as `seconds` has; `facts` are those of each, or, with 1 as `times`, of all together."""
        ...

    def request(self, facts: Facts, seconds: float, error: GatewayError | None, status: int = 200) -> None:
        """One by itself: counted, and logged if the log wants it."""
        ...

    def defect(self, facts: Facts, error: Exception) -> None:
        """An exception nobody expected."""
        ...


class Reports:
    """One for a worker; who counts calls adds what brings them into the metrics."""

    def __init__(self, clock: Clock, tasks: TaskGroup) -> None:
        self._clock = clock
        self._tasks = tasks
        self._due: list[Callable[[], None]] = []
        self._waiting = False

    def add(self, report: Callable[[], None]) -> None:
        """`report` is called now and then from now on."""
        self._due.append(report)

    def soon(self) -> None:
        """There is something to report."""
        if not self._waiting:
            self._waiting = True
            self._tasks.spawn(self._later(), "report calls")

    def now(self) -> None:
        """The metrics are about to be shown."""
        for report in self._due:
            report()

    async def _later(self) -> None:
        await self._clock.sleep(REPORT_SECONDS)
        self._waiting = False
        self.now()

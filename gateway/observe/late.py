"""E: counts that are written together, a little later: one into a file shared by workers takes as long as ten sums."""

from __future__ import annotations

from threading import get_ident, main_thread
from typing import TYPE_CHECKING

from prometheus_client import Counter as Plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.samples import Sample

    from gateway.ports import Clock

SECONDS = 0.25
"""What is counted is in the files after so long, and whenever this process shows its metrics."""

OWED: list[Callable[[], None]] = []
"""Who has something to write."""


class Counter(Plain):
    """As prometheus_client's; only the main thread, which is the event loop's, may count."""

    _owed = 0.0

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:  # noqa: ARG002 - the base's
        """Count, in one that has labels: in a child."""
        if not self._owed and amount:
            OWED.append(self.write)
        self._owed += amount

    def write(self) -> None:
        """Bring what is owed to where it is kept."""
        owed, self._owed = self._owed, 0.0
        super().inc(owed)

    def _child_samples(self) -> Iterable[Sample]:
        """The base's hook: what is shown of one child."""
        if self._owed and is_counting_thread():
            self.write()
        return super()._child_samples()


def is_counting_thread() -> bool:
    """Whether this is the thread that counts; another one must leave alone what is owed."""
    return get_ident() == main_thread().ident


def write_owed() -> None:
    """Write all that is owed."""
    for write in OWED:
        write()
    OWED.clear()


async def keep_written(clock: Clock) -> None:
    """Write now and then, until it is cancelled, and then a last time."""
    try:
        while True:
            await clock.sleep(SECONDS)
            write_owed()
    finally:
        write_owed()

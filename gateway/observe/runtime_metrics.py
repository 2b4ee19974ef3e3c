"""E: metrics of a worker's process: connections, tasks, open files, memory, processor time, garbage collection."""

from __future__ import annotations

import gc
import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from gateway.observe.levels import Growths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from gateway.ports import Clock

_PROC = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Usage:
    """What the system says of this process; `files` and `resident_bytes` are 0 where it says nothing."""

    files: int
    most_files: int
    resident_bytes: int
    cpu_seconds: float


def usage() -> Usage:
    """Reads /proc: for a thread, as a list of ten thousand open files takes milliseconds."""
    times = os.times()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        files = len(os.listdir(_PROC / "fd"))  # noqa: PTH208 - names alone; iterdir would make a path of each
        pages = int((_PROC / "statm").read_text().split()[1])
    except OSError:
        files = pages = 0
    return Usage(files, most, pages * resource.getpagesize(), times.user + times.system)


class CollectorWatch:
    """How often the garbage collector ran, and for how long, by generation.

    It only adds to numbers of its own: it runs between any two instructions, also those that hold a metric's lock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = 0.0
        self.runs = {("0",): 0.0, ("1",): 0.0, ("2",): 0.0}
        self.seconds = dict(self.runs)

    def begin(self) -> None:
        """Be told of every run from now on."""
        gc.callbacks.append(self.told)

    def end(self) -> None:
        """Be told no more."""
        gc.callbacks.remove(self.told)

    def told(self, phase: str, info: dict[str, int]) -> None:
        """As gc.callbacks has it."""
        if phase == "start":
            self._began = self._clock.monotonic()
            return
        generation = (str(info["generation"]),)
        self.runs[generation] += 1
        self.seconds[generation] += self._clock.monotonic() - self._began


class RuntimeMetrics:
    """One for a worker. All but the files are sums over the workers of a gateway; a limit on files is each one's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._connections = Gauge(
            "gateway_connections",
            "Open connections of clients.",
            ("listener",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._closed = Growths(
            Counter(
                "gateway_connections_closed",
                "Connections closed from here: late (no whole head), idle, stuck (answers not taken), too_many.",
                ("reason",),
                registry=registry,
            )
        )
        self._tasks = Gauge(
            "gateway_tasks",
            "Tasks of the event loops, waiting ones included.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._files = Gauge(
            "gateway_open_files",
            "Open files and sockets of the worker that has most.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._most_files = Gauge(
            "gateway_open_files_limit",
            "How many a worker may have.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._resident = Gauge(
            "gateway_resident_bytes", "Memory of all workers.", registry=registry, multiprocess_mode="livesum"
        )
        self._cpu = Growths(
            Counter("gateway_cpu_seconds", "Processor time of all workers, the system's for them included.",
                    registry=registry)
        )  # fmt: skip
        self._runs = Growths(
            Counter("gateway_gc_collections", "Runs of the garbage collector, by generation.", ("generation",),
                    registry=registry)
        )  # fmt: skip
        self._pauses = Growths(
            Counter("gateway_gc_seconds", "Time in the garbage collector, in which a worker answers nobody.",
                    ("generation",), registry=registry)
        )  # fmt: skip

    def show_closed(self, closed: Mapping[str, int]) -> None:
        """Connections by why they were closed, since the worker started."""
        self._closed.show({(reason,): count for reason, count in closed.items()})

    def show(self, used: Usage, tasks: int, connections: dict[str, int], collector: CollectorWatch) -> None:
        """All there is now; `connections` by listener: main, admin."""
        for listener, count in connections.items():
            self._connections.labels(listener).set(count)
        self._tasks.set(tasks)
        self._files.set(used.files)
        self._most_files.set(used.most_files)
        self._resident.set(used.resident_bytes)
        self._cpu.show({(): used.cpu_seconds})
        self._runs.show(collector.runs)
        self._pauses.show(collector.seconds)

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config.schema import Observe
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver
from gateway.observe.queue_metrics import forget_dead_workers
from gateway.vocabulary import Lane

if TYPE_CHECKING:
    import pytest

from fakes.clock import FakeClock

NOBODY = 2**22 + 1


def test_queues_and_pauses_are_counted_by_backend_and_lane() -> None:
    metrics = Metrics()
    observer = RequestObserver(metrics, Observe(), FakeClock())
    observer.upstream_queued("jina", Lane.BULK, 0.2, 7)
    observer.upstream_paused("jina")
    value = metrics.registry.get_sample_value
    assert value("gateway_upstream_queue_seconds_count", {"backend": "jina", "lane": "bulk"}) == 1
    assert value("gateway_upstream_paused_total", {"backend": "jina"}) == 1


def test_nobody_waits_in_a_worker_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for name in (f"gauge_livesum_{NOBODY}.db", f"gauge_livesum_{os.getpid()}.db", f"counter_{NOBODY}.db"):
        (tmp_path / name).touch()
    forget_dead_workers(str(tmp_path))
    assert {path.name for path in Path(tmp_path).iterdir()} == {
        f"gauge_livesum_{os.getpid()}.db",
        f"counter_{NOBODY}.db",
    }

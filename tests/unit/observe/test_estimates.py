from __future__ import annotations

import pytest

from gateway.clock import SystemClock
from gateway.config.schema import Observe
from gateway.observe.metrics import Metrics
from gateway.observe.observer import RequestObserver
from gateway.vocabulary import Facts

RATIO = "gateway_token_estimate_ratio"


@pytest.mark.parametrize(
    ("estimated", "actual", "bucket", "below", "excess"),
    [
        (100, 100, "1.0", "0.99", None),
        (500, 100, "6.0", "4.0", None),
        (80, 100, "0.8", "0.5", 20.0),
        (0, 0, None, None, None),
        (100, 0, None, None, None),
        (0, 100, None, None, None),
    ],
)
def test_the_error_of_an_estimate_is_shown_by_model(
    estimated: int, actual: int, bucket: str | None, below: str | None, excess: float | None
) -> None:
    metrics = Metrics()
    observer = RequestObserver(metrics, Observe(log_sample=0), SystemClock())
    observer.request(Facts("embeddings", "r", "m", estimated_tokens=estimated, upstream_tokens=actual), 0.1, None)

    def shown(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"model": "m", **labels})

    assert shown("gateway_token_excess_total") == excess
    assert shown(f"{RATIO}_count") == (None if bucket is None else 1.0)
    if bucket is not None and below is not None:
        assert (shown(f"{RATIO}_bucket", le=bucket), shown(f"{RATIO}_bucket", le=below)) == (1.0, 0.0)

from __future__ import annotations

import pytest
from fakes.protobuf_reader import Fields, fields, inner, messages, signed
from prometheus_client.parser import text_string_to_metric_families

from gateway.observe.document import instruments
from gateway.observe.exposition import PROTOBUF, wants_protobuf
from gateway.observe.metrics import Metrics
from gateway.observe.native import SCHEMA, ZERO_THRESHOLD
from gateway.observe.store_metrics import SharedMetrics

WITH_NATIVE = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
"""Of Prometheus 2.42 with native histograms on."""

WITHOUT = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1"


@pytest.mark.parametrize(
    ("accept", "wants"),
    [
        (WITH_NATIVE, True),
        (WITHOUT, False),
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        (PROTOBUF, True),
        (PROTOBUF.replace("; ", " ;"), True),
        (PROTOBUF + ";q=0.6,application/openmetrics-text;q=0.5,text/plain;version=1.0.0;q=0.3,*/*;q=0.2", True),
        (PROTOBUF + ";q=0.3,text/plain;q=0.6", False),
        (PROTOBUF + ";q=0", False),
        (PROTOBUF + ";q=much", False),
        (PROTOBUF.replace("delimited", "text"), False),
        ("application/vnd.google.protobuf", False),
        (PROTOBUF.replace("MetricFamily", "Metric"), False),
        (";;,,", False),
    ],
)
def test_who_wants_protobuf(accept: str, *, wants: bool) -> None:
    assert wants_protobuf(accept) is wants


def rendered() -> tuple[Metrics, dict[str, Fields], str]:
    """Metrics with something in them, the messages by name, the text."""
    metrics, shared = Metrics(), SharedMetrics({"keys": 7.0, "commands": 9.0})
    metrics.request("embeddings", "200", "OK").inc(3)
    metrics.request('r"ü\n', "500", "X").inc()
    metrics.latency("embeddings").observe_all([0.0, 1.0, 1.0, 1.01])
    body, kind = metrics.render(WITH_NATIVE, shared)
    assert kind == PROTOBUF
    text, kind = metrics.render(also=shared)
    assert kind.startswith("text/plain")
    return metrics, {str(bytes(one[1][0]), "utf-8"): one for one in messages(body)}, text.decode()  # type: ignore[arg-type]


def labels(row: Fields) -> dict[str, str]:
    pairs = [fields(pair) for pair in row[1] if isinstance(pair, bytes)]
    return {bytes(pair[1][0]).decode(): bytes(pair[2][0]).decode() for pair in pairs}  # type: ignore[arg-type]


def read(message: Fields) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    """The samples of a message as the text has them."""
    name, (kind,), found = bytes(message[1][0]).decode(), message[3], set()  # type: ignore[arg-type]
    for body in message[4]:
        assert isinstance(body, bytes)
        row = fields(body)
        key = labels(row)
        match kind:
            case 0:
                found.add((name, tuple(sorted(key.items())), inner(row, 3)[1][0]))
            case 1:
                found.add((name, tuple(sorted(key.items())), inner(row, 2)[1][0]))
            case 4:
                values = inner(row, 7)
                found.add((f"{name}_count", tuple(sorted(key.items())), values[1][0]))
                found.add((f"{name}_sum", tuple(sorted(key.items())), values[2][0]))
                for bucket in values[3]:
                    assert isinstance(bucket, bytes)
                    le = str(fields(bucket)[2][0]).replace("inf", "+Inf")
                    found.add((f"{name}_bucket", tuple(sorted({**key, "le": le}.items())), fields(bucket)[1][0]))
    return found  # type: ignore[return-value]


def test_everything_that_the_text_has_is_in_the_messages() -> None:
    _, told, text = rendered()
    families = {
        sample.name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count"): family
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert told.keys() == families.keys() >= {"gateway_requests_total", "gateway_store_keys", "gateway_request_seconds"}
    for name, family in families.items():
        assert bytes(told[name][2][0]).decode() == family.documentation  # type: ignore[arg-type]
        assert read(told[name]) == {
            (sample.name, tuple(sorted(sample.labels.items())), sample.value) for sample in family.samples
        }


def test_a_histogram_has_native_buckets_beside_the_classic_ones() -> None:
    _, told, _ = rendered()
    (row,) = told["gateway_request_seconds"][4]
    assert isinstance(row, bytes)
    values = inner(fields(row), 7)
    assert (values[5], values[6], values[7]) == ([SCHEMA << 1], [ZERO_THRESHOLD], [1])
    assert [fields(span) for span in values[12] if isinstance(span, bytes)] == [{1: [0], 2: [2]}]
    assert [signed(deltas) for deltas in values[13]] == [[2, -1]]
    assert len(values[3]) == 17


def test_one_that_nothing_fell_into_is_a_native_one_all_the_same() -> None:
    """Prometheus knows one by its spans or its zero threshold."""
    _, told, _ = rendered()
    rows = [inner(fields(row), 7) for row in told["gateway_stage_seconds"][4] if isinstance(row, bytes)]
    assert len(rows) > 5
    assert all((row[1], row[6], row[7], row[12]) == ([0], [ZERO_THRESHOLD], [0], []) for row in rows)


def test_every_metric_there_is_has_a_form() -> None:
    assert {one.kind for one in instruments()} == {"counter", "gauge", "histogram"}

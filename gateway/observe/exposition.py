"""P: metrics as Prometheus' protobuf messages, and who asks for them.

The messages are io.prometheus.client's (github.com/prometheus/client_model, metrics.proto); constants below are its
numbers of fields. This form has what the text has, and native histograms beside the classic ones.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from gateway.observe.protobuf import delimited, double, message, sint, sints, text, uint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric
    from prometheus_client.samples import NativeHistogram, Sample

PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

_NAME, _HELP, _TYPE, _METRIC = 1, 2, 3, 4
_LABEL, _GAUGE, _COUNTER, _HISTOGRAM = 1, 2, 3, 7
_VALUE = 1
_COUNT, _SUM, _BUCKET = 1, 2, 3
_CUMULATIVE, _UPPER_BOUND = 1, 2
_SCHEMA, _ZERO_THRESHOLD, _ZERO_COUNT, _SPAN, _DELTA = 5, 6, 7, 12, 13
_OFFSET, _LENGTH = 1, 2
_KINDS = {"counter": (0, _COUNTER), "gauge": (1, _GAUGE), "histogram": (4, _HISTOGRAM)}

_TEXTS = frozenset({"text/plain", "text/*", "*/*"})
_PROTOBUF_TYPE, *_parameters = PROTOBUF.lower().split("; ")
_PARAMETERS = frozenset(_parameters)


def wants_protobuf(accept: str) -> bool:
    """Whether an Accept header likes the protobuf form at least as well as the text."""
    messages = plain = 0.0
    for media_range in accept.lower().split(","):
        kind, *words = [word.strip().replace(" ", "") for word in media_range.split(";")]
        weight = _weight(words)
        if kind in _TEXTS:
            plain = max(plain, weight)
        elif kind == _PROTOBUF_TYPE and set(words) >= _PARAMETERS:
            messages = max(messages, weight)
    return messages > 0 and messages >= plain


def _weight(words: Iterable[str]) -> float:
    given = next((word[2:] for word in words if word.startswith("q=")), "1")
    try:
        return float(given)
    except ValueError:
        return 0.0


def protobuf(families: Iterable[Metric]) -> bytes:
    """Counters, gauges and histograms as a stream of MetricFamily messages."""
    return b"".join([delimited(_family(family)) for family in families if family.samples])


def _family(family: Metric) -> bytes:
    number, field = _KINDS[family.type]
    name = f"{family.name}_total" if family.type == "counter" else family.name
    begin = text(_NAME, name) + text(_HELP, family.documentation) + uint(_TYPE, number)
    if family.type == "histogram":
        rows = _histograms(family)
    else:
        rows = [(sample.labels, double(_VALUE, sample.value)) for sample in family.samples]
    return begin + b"".join([message(_METRIC, _labels(labels) + message(field, row)) for labels, row in rows])


def _labels(labels: dict[str, str]) -> bytes:
    return b"".join([message(_LABEL, text(_NAME, name) + text(2, value)) for name, value in sorted(labels.items())])


def _histograms(family: Metric) -> list[tuple[dict[str, str], bytes]]:
    """Labels and message of each, from buckets, counts and sums in any order."""
    found: dict[tuple[tuple[str, str], ...], list[bytes]] = defaultdict(list)
    for sample in family.samples:
        key = tuple((name, value) for name, value in sample.labels.items() if name != "le")
        found[key].append(_part(sample))
    return [(dict(key), b"".join(parts)) for key, parts in found.items()]


def _part(sample: Sample) -> bytes:
    """The fields of a histogram that one line of the text has; the count brings the native buckets."""
    if sample.name.endswith("_sum"):
        return double(_SUM, sample.value)
    count = int(sample.value)
    if sample.name.endswith("_count"):
        return uint(_COUNT, count) + (_native(sample.native_histogram) if sample.native_histogram else b"")
    return message(_BUCKET, uint(_CUMULATIVE, count) + double(_UPPER_BOUND, float(sample.labels["le"])))


def _native(histogram: NativeHistogram) -> bytes:
    spans = [sint(_OFFSET, offset) + uint(_LENGTH, length) for offset, length in histogram.pos_spans or ()]
    return b"".join([
        sint(_SCHEMA, histogram.schema),
        double(_ZERO_THRESHOLD, histogram.zero_threshold),
        uint(_ZERO_COUNT, int(histogram.zero_count)),
        *(message(_SPAN, span) for span in spans),
        sints(_DELTA, histogram.pos_deltas or ()),
    ])  # fmt: skip

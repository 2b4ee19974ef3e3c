"""P: PromQL over histograms: of the native ones where Prometheus has them, else of the classic ones.

A Prometheus with native histograms on drops classic buckets unless it is told to keep them. Queries work either way.
"""

from __future__ import annotations


def quantile(share: float, metric: str, by: str = "", where: str = "", window: str = "$__rate_interval") -> str:
    """A percentile."""
    native = f"histogram_quantile({share}, {_grown(metric, by, where, window)})"
    labels = f"le, {by}" if by else "le"
    return f"{native} or histogram_quantile({share}, {_grown(f'{metric}_bucket', labels, where, window)})"


def spread(metric: str, where: str = "", window: str = "$__rate_interval") -> str:
    """All buckets, for a heat map: one native histogram, or else a series a classic bucket."""
    return f"{_grown(metric, '', where, window)} or on() {_grown(f'{metric}_bucket', 'le', where, window)}"


def beyond(bound: str, metric: str, where: str, window: str) -> str:
    """The share of values above a bound of the classic buckets; nothing where there were none."""
    native = _grown(metric, "", where, window)
    within = _grown(f"{metric}_bucket", "", f'{where}, le="{bound}"', window)
    classic = f"1 - {within} / ({_grown(f'{metric}_count', '', where, window)} > 0)"
    return f"(1 - histogram_fraction(0, {bound}, {native}) and histogram_count({native}) > 0) or ({classic})"


def _grown(series: str, by: str, where: str, window: str) -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({series}{{{where}}}[{window}]))"

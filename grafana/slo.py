"""P: recording rules: the two objectives' shares of bad requests over each window, and two more that boards reuse."""

from __future__ import annotations

from typing import Any

from latencies import beyond

Json = dict[str, Any]

AVAILABILITY = 0.999
"""Of requests that are answered without an error of ours or of all backends (5xx)."""
PROMPTNESS = 0.99
"""Of embeddings and rerank requests that are answered within SLOW."""
SLOW = "2.5"

WINDOWS = ("5m", "30m", "1h", "6h")
BURNS = (("Fast", "1h", "5m", 14.4, "page"), ("Slow", "6h", "30m", 6.0, "ticket"))
"""Of a month's budget 2 % in an hour, 5 % in six hours; the short window ends the alert soon after the trouble."""

ASKED = 'endpoint!~"health|live|ready|metrics|openapi|docs|models|info"'
"""Requests that somebody wanted something with."""
PROMPT = 'endpoint=~"embeddings|rerank"'


def recording() -> Json:
    """The file of recording rules."""
    rules = [rule for window in WINDOWS for rule in (_failed(window), _slow(window))]
    units = "sum(rate(gateway_cache_units_total{%s}[5m]))"
    hits = units % 'outcome=~"hit|duplicate"'
    calls = "sum by (backend) (rate(gateway_upstream_calls_total{%s}[5m]))"
    bad = calls % 'outcome!~"answered|invalid|model_not_found|too_large|cancelled"'
    rules += [
        {"record": "gateway:cache_hits:ratio_rate5m", "expr": f"{hits} / ({units % ''} > 0)"},
        {"record": "gateway:upstream_failed:ratio_rate5m", "expr": f"{bad} / ({calls % ''} > 0)"},
    ]
    return {"groups": [{"name": "gateway-recording", "rules": rules}]}


def _failed(window: str) -> Json:
    requests = f"sum(rate(gateway_requests_total{{{ASKED}%s}}[{window}]))"
    failed = requests % ', status=~"5.."'
    expr = f"({failed} or vector(0)) / ({requests % ''} > 0)"
    return {"record": f"gateway:requests_failed:ratio_rate{window}", "expr": expr}


def _slow(window: str) -> Json:
    expr = beyond(SLOW, "gateway_request_seconds", PROMPT, window)
    return {"record": f"gateway:requests_slow:ratio_rate{window}", "expr": expr}

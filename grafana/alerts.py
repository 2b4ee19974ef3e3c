"""P: alert rules, each with synthetic series on which it fires and resolves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from latencies import quantile
from slo import AVAILABILITY, BURNS, PROMPTNESS

Json = dict[str, Any]

RUNBOOK = "docs/operations.md#"
MINUTES = 60
SOON = "15m"


@dataclass(frozen=True, slots=True)
class Alert:
    """`series` maps a series to promtool's notation of its values, one a minute.

    It must fire with `labels` at the minute `fires` and be resolved at `resolved`. `wait` is Prometheus' `for`.
    """

    name: str
    expr: str
    wait: str
    severity: str
    summary: str
    series: dict[str, str]
    fires: int
    resolved: int
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def runbook(self) -> str:
        """Where it is said what to do."""
        return RUNBOOK + self.name.lower()

    def rule(self) -> Json:
        """For Prometheus."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "runbook_url": self.runbook},
        }

    def test(self) -> Json:
        """For promtool: it fires, and it resolves."""
        summary = self.summary
        for label, value in self.labels.items():
            summary = summary.replace(f"{{{{ $labels.{label} }}}}", value)
        told = {
            "exp_labels": {"severity": self.severity, **self.labels},
            "exp_annotations": {"summary": summary, "runbook_url": self.runbook},
        }
        return {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "alert_rule_test": [
                {"eval_time": f"{minute}m", "alertname": self.name, "exp_alerts": alerts}
                for minute, alerts in ((0, []), (self.fires, [told]), (self.resolved, []))
            ],
        }


def happened(metric: str, by: str = "", where: str = "") -> str:
    """A rare event was counted lately: also the first one ever, with which its series begins."""
    series, grouped = f"{metric}{{{where}}}", f"sum by ({by})" if by else "sum"
    return f"({grouped} (increase({series}[{SOON}])) > 0) or ({grouped} ({series} unless {series} offset {SOON}) > 0)"


def rare(name: str, metric: str, labels: dict[str, str], where: str, severity: str, summary: str) -> Alert:  # noqa: PLR0913, PLR0917 - a table's columns
    """An alert on any such event; in its test the series begins with it, after five minutes."""
    told = {label: value for label, value in labels.items() if f'{label}="' not in where}
    pairs = ",".join(f'{label}="{value}"' for label, value in labels.items())
    series = {f"{metric}{{{pairs}}}": "_x4 1x60"}
    return Alert(name, happened(metric, ", ".join(told), where), "0m", severity, summary, series, 10, 40, told)


def burns(name: str, what: str, objective: float, bad: dict[str, str]) -> list[Alert]:
    """Fast and slow burning of an objective's error budget; `bad` are series of four bad hours in ten."""
    alerts = []
    for speed, long, short, factor, severity in BURNS:
        limit = f"{factor} * {1 - objective:.3g}"
        expr = f"gateway:{what}:ratio_rate{long} > {limit} and gateway:{what}:ratio_rate{short} > {limit}"
        summary = f"The error budget of {what} burns {factor:g} times too fast."
        wait = "2m" if speed == "Fast" else "15m"
        alerts.append(Alert(f"{name}{speed}", expr, wait, severity, summary, bad, 4 * MINUTES, 6 * MINUTES))
    return alerts


FAILING = {
    'gateway_requests_total{endpoint="embeddings",status="200"}': "0+60x600",
    'gateway_requests_total{endpoint="embeddings",status="503"}': "0+20x240 4800x360",
}
LATE = {
    'gateway_request_seconds_bucket{endpoint="embeddings",le="2.5"}': "0+40x240 9660+60x360",
    'gateway_request_seconds_count{endpoint="embeddings"}': "0+60x600",
}


def _serving() -> list[Alert]:
    lag = f"({quantile(0.99, 'gateway_loop_lag_seconds', 'instance', window='5m')}) > 0.25"
    return [
        *burns("GatewayErrorsBurn", "requests_failed", AVAILABILITY, FAILING),
        *burns("GatewayLatencyBurn", "requests_slow", PROMPTNESS, LATE),
        Alert("GatewayDown", 'up{job="gateway"} == 0', "2m", "page", "{{ $labels.instance }} does not answer a scrape.",
              {'up{job="gateway",instance="a"}': "1x4 0x10 1x60"}, 12, 30, {"job": "gateway", "instance": "a"}),
        rare("GatewayDefect", "gateway_requests_total", {"endpoint": "rerank", "code": "INTERNAL_ERROR"}, 'code="INTERNAL_ERROR"', "ticket",
             "A defect answered a request to {{ $labels.endpoint }} with 500."),
        Alert("GatewayLoopLag", lag, "5m", "ticket", "The event loop of {{ $labels.instance }} runs late.",
              {'gateway_loop_lag_seconds_bucket{instance="a",le="0.25"}': "0+100x30 3240+240x60",
               'gateway_loop_lag_seconds_bucket{instance="a",le="0.5"}': "0+240x91",
               'gateway_loop_lag_seconds_bucket{instance="a",le="+Inf"}': "0+240x91"}, 20, 60, {"instance": "a"}),
        Alert("GatewayVersionsDiffer", "count(count by (version) (gateway_build_info)) > 1", "1h", "ticket", "More than one version of the gateway has been running for an hour.",
              {'gateway_build_info{version="1",instance="a"}': "1x10 1x200", 'gateway_build_info{version="2",instance="b"}': "_x4 1x100 _x100"}, 90, 150),
        Alert("GatewayConfigStale", 'max by (instance) (gateway_degraded{mode="config"}) == 1', "1h", "ticket", "{{ $labels.instance }} has run for an hour on a configuration that is no longer in its file.",
              {'gateway_degraded{mode="config",instance="a"}': "0x4 1x90 0x60"}, 80, 120, {"instance": "a"}),
        Alert("GatewayFilesShort", "max by (instance) (gateway_open_files / gateway_open_files_limit) > 0.8", "5m", "ticket", "A worker of {{ $labels.instance }} has few open files left.",
              {'gateway_open_files{instance="a"}': "100x4 900x20 100x40", 'gateway_open_files_limit{instance="a"}': "1000x70"}, 15, 50, {"instance": "a"}),
        rare("GatewayConfigInvalid", "gateway_config_reloads_total", {"instance": "a", "outcome": "invalid"}, 'outcome="invalid"', "ticket",
             "{{ $labels.instance }} could not take up a changed configuration."),
    ]  # fmt: skip


def _stores() -> list[Alert]:
    return [
        Alert("GatewayStoreDown", "min by (instance) (gateway_store_up) == 0", "1m", "page", "The store does not answer {{ $labels.instance }}.",
              {'gateway_store_up{instance="a"}': "1x4 0x10 1x60"}, 10, 30, {"instance": "a"}),
        rare("GatewayStoreRefusing", "gateway_store_rejected_connections_total", {"instance": "a"}, "", "ticket",
             "The store of {{ $labels.instance }} refuses connections."),
        Alert("GatewayStoreFailing", "sum by (role) (rate(gateway_store_failures_total[5m])) > 0.1", "2m", "page", "Store commands for {{ $labels.role }} fail.",
              {'gateway_store_failures_total{role="quota"}': "0+60x20 1200x60"}, 15, 50, {"role": "quota"}),
        Alert("GatewayLimiterDegraded", "sum by (decision) (rate(gateway_limiter_degraded_total[5m])) > 0", "2m", "page", "Requests are {{ $labels.decision }} without the store.",
              {'gateway_limiter_degraded_total{decision="admitted"}': "0+60x20 1200x60"}, 15, 50, {"decision": "admitted"}),
        rare("GatewayLedgerUnjournaled", "gateway_ledger_unjournaled_total", {"instance": "a"}, "", "page",
             "The ledger's journal on {{ $labels.instance }} is full: usage may be lost."),
    ]  # fmt: skip


def _backends() -> list[Alert]:
    unwell = 'max by (backend, model) (gateway_upstream_unwell{state=~"open|half_open"}) == 1'
    waits = quantile(0.95, "gateway_upstream_queue_seconds", "backend", 'lane="interactive"', "5m")
    series = 'gateway_upstream_queue_seconds_bucket{backend="jina",lane="interactive",le='
    jina = {"backend": "jina"}
    left, whole = (f"sum by (backend, window) (gateway_upstream_key_{end})" for end in ("remaining", "limit"))
    again = "sum(rate(gateway_upstream_retries_total[5m])) / (sum(rate(gateway_upstream_calls_total[5m])) > 0) > 0.05"
    keys = '{backend="jina",account="0",window="tokens"}'
    return [
        Alert("GatewayUpstreamKeysShort", f"{left} / {whole} < 0.05", "10m", "ticket", "Our keys at {{ $labels.backend }} have few {{ $labels.window }} left.",
              {f"gateway_upstream_key_remaining{keys}": "1000x4 10x20 1000x40", f"gateway_upstream_key_limit{keys}": "1000x70"}, 20, 50, {**jina, "window": "tokens"}),
        Alert("GatewayUpstreamRetrying", again, "10m", "ticket", "More than one call in twenty is sent again.",
              {'gateway_upstream_retries_total{endpoint="embeddings",revision="r"}': "0+6x40 240x60", 'gateway_upstream_calls_total{backend="jina",outcome="answered"}': "0+60x101"}, 30, 70),
        Alert("GatewayUpstreamUnwell", unwell, "5m", "page", "{{ $labels.backend }} has been left alone for {{ $labels.model }} for 5 minutes.",
              {'gateway_upstream_unwell{backend="jina",model="m",state="open"}': "0x4 1x20 0x40"}, 15, 40, {**jina, "model": "m"}),
        Alert("GatewayUpstreamFailing", "gateway:upstream_failed:ratio_rate5m > 0.2", "5m", "ticket", "More than a fifth of the calls to {{ $labels.backend }} fail.",
              {'gateway_upstream_calls_total{backend="jina",outcome="answered"}': "0+60x90",
               'gateway_upstream_calls_total{backend="jina",outcome="timeout"}': "0+60x30 1800x60"}, 20, 60, jina),
        rare("GatewayUpstreamMisfit", "gateway_upstream_misfits_total", jina, "", "page", "{{ $labels.backend }} refuses our key, address or model."),
        rare("GatewayUpstreamDrift", "gateway_upstream_drifts_total", {**jina, "revision": "r"}, "", "page",
             "Vectors of {{ $labels.backend }} for {{ $labels.revision }} are of another space."),
        Alert("GatewayUpstreamQueueing", f"({waits}) > 5", "10m", "ticket", "Interactive calls wait more than 5 s for {{ $labels.backend }}.",
              {f'{series}"5.0"}}': "0+10x40 400+60x60", f'{series}"10.0"}}': "0+60x101", f'{series}"+Inf"}}': "0+60x101"}, 30, 70, jina),
        Alert("GatewayUpstreamPaused", "sum by (backend) (increase(gateway_upstream_paused_total[10m])) > 20", "10m", "ticket",
              "{{ $labels.backend }} answers 429 again and again.",
              {'gateway_upstream_paused_total{backend="jina"}': "0+6x40 240x60"}, 30, 70, jina),
    ]  # fmt: skip


def _money() -> list[Alert]:
    excess = 'sum by (model) (rate(gateway_token_excess_total[30m])) / sum by (model) (rate(gateway_tokens_total{kind="upstream"}[30m])) > 0.02'
    spent = {"tenant": "search", "meter": "day", "share": "1"}
    return [
        Alert("GatewayBudgetShort", "max by (tenant, meter) (gateway_budget_used_ratio) > 0.9", "0m", "ticket", "{{ $labels.tenant }} has used nine tenths of its {{ $labels.meter }}.",
              {'gateway_budget_used_ratio{tenant="search",meter="balance"}': "0.5x4 0.95x20 0.1x40"}, 10, 40, {"tenant": "search", "meter": "balance"}),
        rare("GatewayBudgetUsed", "gateway_spending_thresholds_total", spent, 'share="1"', "ticket", "{{ $labels.tenant }} has used all of its {{ $labels.meter }}."),
        Alert("GatewayEstimatesLow", excess, "30m", "ticket", "Too few tokens are reserved for {{ $labels.model }}.",
              {'gateway_token_excess_total{model="m"}': "0+100x120 12000x120", 'gateway_tokens_total{model="m",kind="upstream"}': "0+1000x240"}, 90, 200, {"model": "m"}),
        rare("GatewayNoticesDead", "gateway_webhook_notices_total", {"outcome": "dead"}, 'outcome="dead"', "ticket", "Notices to the operator's webhooks were given up."),
        Alert("GatewayJobsFailing", 'sum(increase(gateway_batch_jobs_total{state="failed"}[1h])) > 5', "0m", "ticket", "Batch jobs fail.",
              {'gateway_batch_jobs_total{state="failed"}': "0+1x30 30x120"}, 30, 120),
    ]  # fmt: skip


def alerts() -> list[Alert]:
    """All of them."""
    return [*_serving(), *_stores(), *_backends(), *_money()]


def rules() -> Json:
    """The file of alert rules."""
    return {"groups": [{"name": "gateway-alerts", "rules": [alert.rule() for alert in alerts()]}]}


def tests() -> Json:
    """The file for `promtool test rules`."""
    return {
        "rule_files": ["recording.yaml", "alerts.yaml"],
        "evaluation_interval": "1m",
        "group_eval_order": ["gateway-recording", "gateway-alerts"],
        "tests": [alert.test() for alert in alerts()],
    }

"""P: the dashboards: which panels are on which page."""

from __future__ import annotations

from latencies import quantile, spread
from panels import Json, Panel, dashboard, heatmap, panel, stat
from slo import ASKED

RATE = "$__rate_interval"


def rate(metric: str, by: str = "", where: str = "") -> str:
    """A counter's growth a second."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{where}}}[{RATE}]))"


def quantiles(metric: str, where: str = "") -> tuple[tuple[str, str], ...]:
    """The usual three."""
    return tuple((quantile(share, metric, "", where), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99))


def ratio(part: str, whole: str) -> str:
    """A share; nothing where the whole is nothing."""
    return f"{part} / ({whole} > 0)"


def increase(metric: str, by: str = "", where: str = "") -> str:
    """What a counter grew in the range that is looked at."""
    return f"sum{f' by ({by})' if by else ''} (increase({metric}{{{where}}}[$__range]))"


HITS = 'outcome=~"hit|duplicate"'
ERRORS = f'{ASKED}, status=~"5.."'
REQUESTS, UNITS, CALLS = "gateway_requests_total", "gateway_cache_units_total", "gateway_upstream_calls_total"
BACKEND = 'backend=~"$backend"'
FINE = "In steps of 9 % where Prometheus has native histograms, else between the classic bounds."
TENANT = 'tenant=~"$tenant"'


def overview() -> list[Panel]:
    """Is it well, and what is it doing."""
    return [
        stat("Gateways up", "count(gateway_build_info)"),
        stat("Requests a second", rate(REQUESTS, where=ASKED), "reqps"),
        stat("Errors of ours", ratio(f"({rate(REQUESTS, where=ERRORS)} or vector(0))", rate(REQUESTS, where=ASKED)), "percentunit"),
        stat("p99", quantile(0.99, "gateway_request_seconds", where=ASKED), "s"),
        stat("Inputs from the cache", ratio(rate(UNITS, where=HITS), rate(UNITS)), "percentunit"),
        stat("Dollars saved", increase("gateway_saved_dollars_total"), "currencyUSD"),
        panel("Requests by endpoint", (rate(REQUESTS, "endpoint", ASKED), "{{endpoint}}"), unit="reqps"),
        panel("Answers by status", (rate(REQUESTS, "status", ASKED), "{{status}}"), unit="reqps"),
        panel("Latency", *quantiles("gateway_request_seconds", ASKED), unit="s"),
        panel("p95 of each stage", (quantile(0.95, "gateway_stage_seconds", "stage"), "{{stage}}"), unit="s"),
        panel("Refusals by code", (rate("gateway_rejections_total", "code"), "{{code}}"), unit="reqps"),
        panel("Calls to backends", (rate(CALLS, "backend, outcome"), "{{backend}} {{outcome}}"), unit="reqps"),
        panel("Backends left alone", ("max by (backend, model, state) (gateway_upstream_unwell)", "{{backend}} {{model}} {{state}}")),
        panel("Store failures and decisions without it", (rate("gateway_store_failures_total", "role"), "{{role}}"), (rate("gateway_limiter_degraded_total", "decision"), "{{decision}}"), unit="ops"),
        panel("Going on with less", ("max by (instance, mode) (gateway_degraded)", "{{instance}} {{mode}}"), about="1 while limits are decided without the store, the cache is not asked, or a changed configuration is not in force."),
        panel("The store answers", ("min by (instance) (gateway_store_up)", "{{instance}}")),
    ]  # fmt: skip


def tenant() -> list[Panel]:
    """What one tenant uses, saves and has left."""
    tokens = "gateway_tenant_tokens_total"
    left = f"min by (tenant, window) (gateway_limit_remaining{{{TENANT}, window="
    return [
        panel("Tokens a second", (rate(tokens, "tenant, kind", TENANT), "{{tenant}} {{kind}}")),
        panel("Tokens saved a second", (rate("gateway_tenant_saved_tokens_total", "tenant, cause", TENANT), "{{tenant}} {{cause}}")),
        panel("Requests left in the minute", (left + '"requests"})', "{{tenant}}"), about="As last told to the tenant."),
        panel("Tokens left in the minute", (left + '"tokens"})', "{{tenant}}"), about="As last told to the tenant."),
        panel("Requests that run", (f"sum by (tenant) (gateway_limit_running{{{TENANT}}})", "{{tenant}}"), about="Of tenants with a limit on concurrency."),
        panel("Requests and tokens in the last minute", (f"max by (tenant, window) (gateway_limit_used{{{TENANT}}})", "{{tenant}} {{window}}")),
        panel("Budgets and balances: used", (f"max by (tenant, meter) (gateway_budget_used_ratio{{{TENANT}}})", "{{tenant}} {{meter}}"), unit="percentunit"),
        panel("Budgets and balances: shares passed", (increase("gateway_spending_thresholds_total", "tenant, meter, share", TENANT), "{{tenant}} {{meter}} {{share}}")),
        Panel("Tokens in this range", ((increase(tokens, "tenant, kind", TENANT), ""),), kind="table"),
    ]  # fmt: skip


def savings() -> list[Panel]:
    """What is paid, and what is not."""
    tokens = "gateway_tokens_total"
    return [
        stat("Dollars saved", increase("gateway_saved_dollars_total"), "currencyUSD"),
        stat("Tokens saved", increase("gateway_saved_tokens_total")),
        stat("Seconds saved", increase("gateway_saved_seconds_total"), "s"),
        stat("Tokens paid", increase(tokens, where='kind="upstream"')),
        panel("Dollars saved an hour, by cause", (rate("gateway_saved_dollars_total", "cause") + " * 3600", "{{cause}}"), unit="currencyUSD"),
        panel("Tokens saved a second, by model", (rate("gateway_saved_tokens_total", "model"), "{{model}}")),
        panel("Tokens told to clients and counted by backends", (rate(tokens, "kind"), "{{kind}}")),
        panel("Tokens at backends by model", (rate(tokens, "model", 'kind="upstream"'), "{{model}}")),
        panel("Saved tokens by tenant", (rate("gateway_tenant_saved_tokens_total", "tenant"), "{{tenant}}")),
    ]  # fmt: skip


def _share_left(by: str) -> str:
    left, whole = (f"sum by ({by}) (gateway_upstream_key_{end}{{{BACKEND}}})" for end in ("remaining", "limit"))
    return f"{left} / {whole}"


def upstreams() -> list[Panel]:
    """How each backend does."""
    good = f'{BACKEND}, outcome!~"answered|invalid|model_not_found"'
    waits = "gateway_upstream_queue_seconds"
    return [
        panel("Calls by outcome", (rate(CALLS, "backend, outcome", BACKEND), "{{backend}} {{outcome}}"), unit="reqps"),
        panel("Share that failed", (f"{rate(CALLS, 'backend', good)} / {rate(CALLS, 'backend', BACKEND)}", "{{backend}}"), unit="percentunit"),
        panel("Latency, p50", (quantile(0.5, "gateway_upstream_seconds", "backend", BACKEND), "{{backend}}"), unit="s"),
        panel("Latency, p99", (quantile(0.99, "gateway_upstream_seconds", "backend", BACKEND), "{{backend}}"), unit="s"),
        heatmap("Latency of all calls", spread("gateway_upstream_seconds", BACKEND), about=FINE),
        heatmap("Latency of all requests", spread("gateway_request_seconds", ASKED), about=FINE),
        panel("Breakers and drift", (f"max by (backend, model, state) (gateway_upstream_unwell{{{BACKEND}}})", "{{backend}} {{model}} {{state}}")),
        panel("Left alone for others", (rate("gateway_upstream_ejected_total", "backend", BACKEND), "{{backend}}")),
        panel("Hedges", (rate("gateway_upstream_hedged_total", "backend", BACKEND), "{{backend}}"), unit="reqps"),
        panel("Calls sent again", (rate("gateway_upstream_retries_total", "endpoint, revision"), "{{endpoint}} {{revision}}"), unit="reqps", about="Of all backends."),
        panel("What our keys have left", (_share_left("backend, account, window"), "{{backend}} {{account}} {{window}}"), unit="percentunit", about="Of the limits that the configuration gives a backend."),
        panel("Keys at rest", (f"max by (backend, account) (gateway_upstream_key_paused{{{BACKEND}}})", "{{backend}} {{account}}")),
        panel("Pauses after a 429", (rate("gateway_upstream_paused_total", "backend", BACKEND), "{{backend}}")),
        panel("Waiting calls", (f"sum by (backend, lane) (gateway_upstream_queue_length{{{BACKEND}}})", "{{backend}} {{lane}}")),
        panel("Running calls", (f"sum by (backend, lane) (gateway_upstream_running{{{BACKEND}}})", "{{backend}} {{lane}}")),
        panel("Wait for a turn, p95", (quantile(0.95, waits, "backend, lane", BACKEND), "{{backend}} {{lane}}"), unit="s"),
        panel("Refused keys and addresses", (increase("gateway_upstream_misfits_total", "backend", BACKEND), "{{backend}}")),
        panel("Drifts of the vector space", (increase("gateway_upstream_drifts_total", "backend, revision", BACKEND), "{{backend}} {{revision}}")),
    ]  # fmt: skip


def limits() -> list[Panel]:
    """Who is refused, who would be, and how good the estimates are."""
    estimate = "gateway_token_estimate_ratio"
    return [
        panel("Refusals by code", (rate("gateway_rejections_total", "code"), "{{code}}"), unit="reqps"),
        panel("Refusals by what was full", (rate("gateway_limit_rejections_total", "scope, window"), "{{scope}} {{window}}"), unit="reqps"),
        panel("Used share of limits", ("max by (tenant, window) (gateway_limit_used / (gateway_limit_used + gateway_limit_remaining))", "{{tenant}} {{window}}"), unit="percentunit"),
        panel("Would be refused (shadow)", (rate("gateway_shadow_rejections_total", "scope"), "{{scope}}"), unit="reqps"),
        panel("Requests left in the minute", ('min by (tenant) (gateway_limit_remaining{window="requests"})', "{{tenant}}")),
        panel("Tokens left in the minute", ('min by (tenant) (gateway_limit_remaining{window="tokens"})', "{{tenant}}")),
        panel("Decided without the store", (rate("gateway_limiter_degraded_total", "decision"), "{{decision}}"), unit="reqps"),
        panel("Shares of budgets passed", (increase("gateway_spending_thresholds_total", "meter, share"), "{{meter}} {{share}}")),
        panel("Tokens reserved over counted", (quantile(0.5, estimate, "model"), "{{model}} p50"), (quantile(0.01, estimate, "model"), "{{model}} p1")),
        panel("Tokens above the reservation", (rate("gateway_token_excess_total", "model"), "{{model}}")),
        panel("Notices", (rate("gateway_webhook_notices_total", "outcome"), "{{outcome}}")),
    ]  # fmt: skip


STORED = rate(UNITS, where='outcome="hit"')
FOUND = rate("gateway_cache_lookups_total", where='outcome="found"')


def _of_store(what: str) -> str:
    """Every gateway tells the same of its store."""
    return f"max(rate(gateway_store_{what}_total[{RATE}]))"


def cache() -> list[Panel]:
    """What is answered without a call."""
    return [
        panel("Inputs by source", (rate(UNITS, "outcome"), "{{outcome}}")),
        panel("Share from the cache", (f"{rate(UNITS, 'endpoint', HITS)} / {rate(UNITS, 'endpoint')}", "{{endpoint}}"), unit="percentunit"),
        panel("Hits in memory and in the store", (f"{STORED} - {FOUND}", "memory"), (FOUND, "store"), (rate("gateway_cache_lookups_total", where='outcome="missing"'), "asked in vain")),
        panel("In memory: bytes, and how many they may be", ("sum(gateway_memory_bytes)", "held"), ("sum(gateway_memory_limit_bytes)", "most"), unit="bytes"),
        panel("Answers in memory, and dropped for want of room a second", ("sum(gateway_memory_entries)", "held"), (rate("gateway_memory_evictions_total"), "dropped a second")),
        panel("The store's memory", ("max(gateway_store_memory_bytes)", "used"), ("max(gateway_store_memory_limit_bytes)", "maxmemory"), unit="bytes"),
        panel("Keys in the store", ("max(gateway_store_keys)", "keys")),
        panel("Keys that left the store", (_of_store("evicted_keys"), "evicted"), (_of_store("expired_keys"), "expired"), unit="ops"),
        panel("The store's own look-ups", (_of_store("keyspace_hits"), "there"), (_of_store("keyspace_misses"), "not there"), unit="ops"),
        panel("Inputs had for nothing a second, by cause", (rate("gateway_saved_inputs_total", "cause"), "{{cause}}")),
        panel("Tokens saved a second by cause", (rate("gateway_saved_tokens_total", "cause"), "{{cause}}")),
        panel("Plan stage (look-up)", *quantiles("gateway_stage_seconds", 'stage="plan"'), unit="s"),
        panel("Failures of the cache's store", (rate("gateway_store_failures_total", "role", 'role="cache"'), "{{role}}"), unit="ops"),
    ]  # fmt: skip


def jobs() -> list[Panel]:
    """Batch jobs and what is told about them."""
    moved = "gateway_batch_jobs_total"
    ended = 'state=~"completed|failed|cancelled|expired"'
    return [
        stat("Created", increase(moved, where='state="pending"')),
        stat("Completed", increase(moved, where='state="completed"')),
        stat("Failed", increase(moved, where='state="failed"')),
        stat("Open", f'sum({moved}{{state="pending"}}) - (sum({moved}{{{ended}}}) or vector(0))', about="Right while the counters are as old as the jobs."),
        panel("Open jobs, of the newest hundred", ("max by (state) (gateway_batch_jobs_open)", "{{state}}")),
        panel("Jobs by state", (rate(moved, "state"), "{{state}}")),
        panel("Lines a second", (rate("gateway_batch_lines_total", "outcome"), "{{outcome}}"), unit="ops"),
        panel("Wait of bulk calls, p95", (quantile(0.95, "gateway_upstream_queue_seconds", "backend", 'lane="bulk"'), "{{backend}}"), unit="s"),
        panel("Notices about jobs", (rate("gateway_job_webhook_notices_total", "outcome"), "{{outcome}}")),
    ]  # fmt: skip


def internals() -> list[Panel]:
    """The gateway's own machinery."""
    return [
        Panel("Versions", (("count by (version, python) (gateway_build_info)", ""),), kind="table"),
        panel("Event loop lag", *quantiles("gateway_loop_lag_seconds"), unit="s", about="What every call waits for, too."),
        panel("p50 of each stage", (quantile(0.5, "gateway_stage_seconds", "stage"), "{{stage}}"), unit="s"),
        panel("p99 of each stage", (quantile(0.99, "gateway_stage_seconds", "stage"), "{{stage}}"), unit="s"),
        panel("Store failures by role", (rate("gateway_store_failures_total", "role"), "{{role}}"), unit="ops"),
        panel("Processors in use", (rate("gateway_cpu_seconds_total", "instance"), "{{instance}}"), about="1 is one processor."),
        panel("Memory", ("sum by (instance) (gateway_resident_bytes)", "{{instance}}"), unit="bytes"),
        panel("Connections of clients", ("sum by (listener) (gateway_connections)", "{{listener}}")),
        panel("Connections closed by the gateway", (rate("gateway_connections_closed_total", "reason"), "{{reason}}"), unit="ops", about="late: no whole head in time; idle: nothing asked; stuck: answers not taken; too_many: no room."),
        panel("Tasks", ("sum by (instance) (gateway_tasks)", "{{instance}}")),
        panel("Open files, of what may be", ("max by (instance) (gateway_open_files / gateway_open_files_limit)", "{{instance}}"), unit="percentunit"),
        panel("Garbage collection: share of time", (rate("gateway_gc_seconds_total", "generation"), "generation {{generation}}"), unit="percentunit"),
        panel("Garbage collection: runs", (rate("gateway_gc_collections_total", "generation"), "generation {{generation}}"), unit="ops"),
        panel("The store: commands", (_of_store("commands"), "commands"), unit="ops"),
        panel("The store: time to answer", ("max by (instance) (gateway_store_answer_seconds)", "{{instance}}"), unit="s", about="For INFO, at the scrape."),
        panel("The store: connections, nodes", ("max(gateway_store_clients)", "connections"), (_of_store("rejected_connections"), "refused a second"), ("max(gateway_store_nodes)", "nodes")),
        panel("Not journaled", (rate("gateway_ledger_unjournaled_total"), "requests"), unit="reqps"),
        panel("Spans of traces", (rate("gateway_spans_total", "outcome"), "{{outcome}}"), unit="ops", about="Empty where nothing is traced."),
        panel("Configuration read again", (increase("gateway_config_reloads_total", "outcome"), "{{outcome}}")),
        panel("Probes and metrics", (rate(REQUESTS, "endpoint", 'endpoint=~"health|live|ready|metrics"'), "{{endpoint}}"), unit="reqps"),
        panel("Series in a scrape", ('scrape_samples_scraped{job="gateway"}', "{{instance}}")),
    ]  # fmt: skip


def pages() -> dict[str, Json]:
    """Every dashboard by file name."""
    of_tenants, of_backends = {"tenant": "gateway_tenant_tokens_total"}, {"backend": CALLS}
    rows: list[tuple[str, str, list[Panel], dict[str, str]]] = [
        ("overview", "Overview", overview(), {}),
        ("tenant", "Tenant", tenant(), of_tenants),
        ("savings", "Cost and savings", savings(), {}),
        ("upstreams", "Upstreams", upstreams(), of_backends),
        ("limits", "Limits", limits(), {}),
        ("cache", "Cache", cache(), {}),
        ("jobs", "Jobs", jobs(), {}),
        ("internals", "Internals", internals(), {}),
    ]
    return {name: dashboard(name, title, panels, variables) for name, title, panels, variables in rows}

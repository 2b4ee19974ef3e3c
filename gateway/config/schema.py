"""P: every setting, its default and why it exists. Unknown keys are refused; the snapshot is immutable."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, IPvAnyNetwork, StringConstraints

from gateway.config.backends import Backend, ModelEntry  # noqa: TC001 - pydantic evaluates annotations
from gateway.config.fetching import Fetching
from gateway.config.jobs import Jobs
from gateway.config.section import Name, Positive, Price, Seconds, Section
from gateway.config.spending import Balance, Budget  # noqa: TC001 - pydantic evaluates annotations
from gateway.config.traces import Traces
from gateway.config.webhooks import Webhook  # noqa: TC001 - as above
from gateway.vocabulary import CacheScope, Fallback


class Server(Section):
    """The listening side and how requests are read and answered."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for every interface")
    port: Annotated[int, Field(ge=0, le=65_535)] = Field(8080, description="TCP port; 0 picks a free one")
    workers: Positive | None = Field(
        None,
        description="worker processes sharing the port; by default one for each processor that the gateway may use "
        "(affinity, control group), 8 at most",
    )
    data_dir: str = Field("gateway-data", description="the only folder the gateway writes to")
    body_limit: Positive = Field(33_554_432, description="largest request body in bytes; larger is a 413")
    timeout: Seconds = Field(120.0, description="seconds a request may take before a 504")
    receive_timeout: Seconds = Field(
        10.0, description="seconds until a head that does not end is a 408; bodies and answers must move 1 KiB a second"
    )
    keepalive_timeout: Seconds = Field(75.0, description="seconds a connection is kept that asks nothing")
    connections: Positive = Field(10_000, description="connections of one worker at once; one more gets a 503")
    ready_requires_store: bool = Field(
        default=True, description="whether /ready says 503 while the store does not answer; else it says degraded"
    )
    drain_notice: Annotated[float, Field(ge=0, le=600)] = Field(
        0.0, description="seconds in which a gateway that stops still takes connections while /ready says 503"
    )
    drain_timeout: Seconds = Field(10.0, description="seconds running requests get when the gateway stops")
    validation: Literal["strict", "lenient"] = Field(
        "strict", description="lenient drops fields a model does not know, with a warning header, instead of a 422"
    )
    errors: Literal["superset", "contract"] = Field(
        "superset", description="superset adds an OpenAI-shaped error object; contract sends the API's fields only"
    )
    authentication: Literal["keys", "passthrough"] = Field(
        "keys",
        description="passthrough forwards each caller's own key to the Jina API: a sidecar with no tenants of its own",
    )
    docs: bool = Field(default=True, description="whether /docs shows the API in a browser, without a key")
    passthrough_tier: Name = Field("free", description="tier of each key that is passed through")
    default_models: dict[Literal["embeddings", "rerank"], Name] = Field(
        default_factory=dict,
        description="models for calls in text-embeddings-inference's dialect, which name none: {embeddings: A, "
        "rerank: B}; by default the only one that is served",
    )
    secret: Annotated[str, StringConstraints(min_length=16)] | None = Field(
        None,
        repr=False,
        description="keys the digests of API keys and cache proofs; by default made once and kept in the store",
    )


class Store(Section):
    """Redis or Valkey, 7.0 or later."""

    url: str | None = Field(
        None,
        repr=False,
        description="redis://, rediss:// or unix:// address; without it a private Valkey is started",
    )
    cluster: bool = Field(default=False, description="the address is that of one node of a Redis Cluster")
    timeout: Seconds = Field(0.5, description="seconds a command may take before the store counts as down")
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,32}$")] = Field(
        "gw", description="first part of every key name, so that a store can be shared"
    )
    memory_limit: str = Field(
        "512mb",
        description="embedded store only: beyond this the least used cache entries go",
        pattern=r"^\d+(kb|mb|gb)$",
    )


class Bounds(Section):
    """Limits; leave one out (or null) for none."""

    rpm: Positive | None = Field(None, description="requests a minute")
    tpm: Positive | None = Field(None, description="tokens a minute")
    concurrency: Positive | None = Field(None, description="requests running at once")
    shadow: bool = Field(default=False, description="count what would be refused, and refuse nothing")
    when_store_fails: Fallback | None = Field(
        None, description="local-share, open or closed; by default limits.when_store_fails"
    )


class Tier(Bounds):
    """Limits of a plan for each tenant on it, and closer ones within."""

    each_key: Bounds | None = Field(None, description="limits of each of a tenant's keys")
    endpoints: dict[Name, Bounds] = Field(
        default_factory=dict,
        description="limits of a tenant's calls by endpoint: embeddings, rerank, classify, "
        "classify_few_shot (else as classify), train, classifiers, segment, chat, reader, search, ground, fine-tuning",
    )
    models: dict[Name, Bounds] = Field(default_factory=dict, description="limits of a tenant's calls by model")
    labels: Annotated[int, Field(ge=1, le=512)] = Field(
        256, description="labels that one classification may choose between; 512 at most"
    )
    classifiers: Annotated[int, Field(ge=0, le=10_000)] = Field(
        16, description="trained classifiers that a tenant may have; one more is refused"
    )
    classifier_labels: Annotated[int, Field(ge=2, le=512)] = Field(
        16, description="labels that one trained classifier may know; 512 at most"
    )
    timeout: Seconds | None = Field(
        None, description="seconds a tenant's request may take, unless it has its own; by default server.timeout"
    )
    budgets: tuple[Budget, ...] = Field((), description="what each tenant on it may spend, unless it has its own")
    balance: Balance | None = Field(None, description="what each tenant on it begins with, unless it has its own")


class Tenant(Section):
    """Who may call, under which limits."""

    tier: Name = Field("free", description="name of a tier")
    org: Name = Field("default", description="tenants of one org share the cache unless cache_scope says otherwise")
    keys: tuple[Annotated[str, StringConstraints(min_length=8, pattern=r"^\S+$")], ...] = Field(
        (), repr=False, description="bearer tokens of this tenant, best as ${ENV}; only keyed digests stay in memory"
    )
    cache_scope: CacheScope | None = Field(None, description="off, tenant, org or shared; by default cache.scope")
    prices: dict[Name, Price] = Field(
        default_factory=dict, description="US dollars a token by model, where this tenant pays another price"
    )
    budgets: tuple[Budget, ...] = Field(
        (), description='what it may spend: `[{usd: "50", per: month, soft: [0.8], hard: true}]`, see docs/money.md'
    )
    balance: Balance | None = Field(
        None,
        description='`{starting_tokens: 10000000}` or `{starting_usd: "5"}`: used up, topped up',
    )
    weight: Annotated[float, Field(ge=0.01, le=1_000)] = Field(
        1.0, description="share of a backend that several tenants wait for: one of weight 3 gets thrice the tokens of 1"
    )
    timeout: Seconds | None = Field(
        None,
        description="seconds its requests may take that have no X-Request-Timeout, up to server.timeout; "
        "by default the tier's",
    )
    queue_timeout: Seconds = Field(
        30.0, description="seconds a call may wait for what a backend's `limits` or its own pauses allow; then 503"
    )


class Cache(Section):
    """What is remembered."""

    scope: CacheScope = Field(
        CacheScope.ORG, description="who shares answers: off, tenant, org or shared (every org, see promote_after)"
    )
    ttl: Positive = Field(
        2_592_000, description="seconds an answer is kept, less or more a tenth; for space, not freshness"
    )
    memory: Annotated[int, Field(ge=0)] = Field(
        16_777_216,
        description="bytes of answers that each worker keeps ready to send, above the store, and an eighth more for "
        "calls that repeat; 0 for none. 16 MiB are 1,000 vectors of 1,024 floats with their JSON",
    )
    claim_seconds: Annotated[int, Field(ge=1, le=300)] = Field(
        10, description="an input that a crashed worker was asking for is asked again after this long"
    )
    promote_after: Annotated[int, Field(ge=2, le=100)] = Field(
        3, description="scope shared: how many orgs must each have computed an answer before others may have it"
    )
    url_inputs: bool = Field(
        default=False, description="also remember answers to images given as URL, whose content may change"
    )


class LimitSettings(Section):
    """Limits beside the tiers."""

    ip_failures_per_minute: Positive | None = Field(
        60, description="calls a minute from one address that may fail authentication; then 429"
    )
    total: Bounds | None = Field(None, description="limits of all tenants together")
    models: dict[Name, Bounds] = Field(default_factory=dict, description="limits of all tenants together, by model")
    rpm_per_address: Positive | None = Field(None, description="requests a minute of one client address")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (), description="networks whose X-Forwarded-For is believed, as 10.0.0.0/8"
    )
    when_store_fails: Fallback = Field(
        Fallback.LOCAL_SHARE,
        description="local-share: each worker keeps to its share; open: limits are off; closed: requests get 503",
    )
    count_cached_tokens: bool = Field(default=False, description="whether cached answers use up tokens per minute")
    lease_seconds: Annotated[int, Field(ge=3, le=300)] = Field(
        15, description="a crashed worker's running requests stop counting after this long"
    )


class LedgerSettings(Section):
    """What was used and what it cost, by the hour."""

    retain_days: Annotated[int, Field(ge=1, le=10_000)] = Field(
        400, description="days that usage by hour, tenant, key and model is kept"
    )


class Admin(Section):
    """The API that makes and changes tenants and keys, on a listener of its own."""

    host: str = Field("127.0.0.1", description="address to listen on; whoever reaches it needs only the token")
    port: Annotated[int, Field(ge=0, le=65_535)] | None = Field(
        None, description="TCP port; 0 picks a free one. By default the API is off"
    )
    token: Annotated[str, StringConstraints(min_length=16, pattern=r"^\S+$")] | None = Field(
        None, repr=False, description="bearer token of the API, 16 characters or more, best as ${ENV}"
    )


class Observe(Section):
    """What is shown."""

    metrics: bool = Field(default=True, description="serve GET /metrics on the main port, without a key")
    log_format: Literal["auto", "pretty", "json"] = Field("auto", description="auto: pretty on a terminal, else json")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe level shown")
    log_sample: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01, description="share of successful requests logged; failures and slow ones are always logged"
    )
    log_slow: Seconds = Field(5.0, description="seconds from which on a request is slow, and always logged")


class Config(Section):
    """The whole file."""

    server: Server = Server()
    store: Store = Store()
    tiers: dict[Name, Tier] = Field(default_factory=dict)
    tenants: dict[Name, Tenant] = Field(default_factory=dict)
    backends: dict[Name, Backend] = Field(default_factory=dict)
    models: dict[Name, ModelEntry] = Field(default_factory=dict)
    cache: Cache = Cache()
    limits: LimitSettings = LimitSettings()
    ledger: LedgerSettings = LedgerSettings()
    webhooks: tuple[Webhook, ...] = ()
    fetch: Fetching = Fetching()
    jobs: Jobs = Jobs()
    admin: Admin = Admin()
    observe: Observe = Observe()
    traces: Traces = Traces()

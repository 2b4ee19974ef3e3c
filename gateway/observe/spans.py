"""P: what happened as spans: names, attributes, times; never an input, a key, a vector, nor a path a client chose."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.vocabulary import Departure, Facts, Stage, TraceContext

    Attributes = Mapping[str, str | int | bool]

_SERVER_ERROR = 500
_PORTS = {"http": 80, "https": 443}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_OTHER = "_OTHER"
"""What the conventions call a method that HTTP does not know."""

ANSWERED = "answered"

START = "<!-- made by `make docs` from gateway/observe/spans.py; a test compares -->\n"


class Kind(StrEnum):
    """Kinds of spans: a request, a stage of it, a call to a backend."""

    SERVER = "request"
    INTERNAL = "stage"
    CLIENT = "call"


ATTRIBUTES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "http.request.method": ("request, call", "method; `_OTHER` for one that HTTP does not know"),
        "http.route": ("request", "the path, where it is one of ours; never what a client put into one"),
        "http.response.status_code": ("request, call", "status; missing where no reply came"),
        "http.request.resend_count": ("call", "how many calls for the same inputs came before it: retries and hedges"),
        "url.scheme": ("request", "`http`"),
        "url.path": ("request", "as `http.route`"),
        "server.address": ("call", "host of the backend, or its unix socket"),
        "server.port": ("call", "port of the backend"),
        "error.type": ("request, call", "code of the error as in the body; of a call: `gateway.outcome`"),
        "gen_ai.operation.name": ("request, call", "`embeddings`, `rerank`, `classify`, `chat` …"),
        "gen_ai.request.model": (
            "request, call",
            "model, once it is known to be one of ours; of a call: its name there",
        ),
        "gen_ai.provider.name": ("call", "dialect of the backend: `jina`, `openai`, `cohere`, `tei` …"),
        "gen_ai.usage.input_tokens": (
            "request, call",
            "tokens told to the client; of a call: what the backend counted",
        ),
        "gateway.request_id": ("request", "as in `X-Request-Id`, the log and error bodies"),
        "gateway.endpoint": ("request", "as the label of metrics"),
        "gateway.tenant": ("request", "tenant of the configuration, or `passthrough`"),
        "gateway.key_id": ("request", "id of the key, never the key"),
        "gateway.items": ("request, call", "inputs or documents"),
        "gateway.cache.hits": ("request", "inputs whose answers were stored"),
        "gateway.cache.misses": ("request", "inputs that a backend was asked for"),
        "gateway.cache.duplicates": ("request", "inputs that stood in the list before"),
        "gateway.upstream_tokens": ("request", "tokens that backends counted for it"),
        "gateway.stage": ("stage", "its name; `admit` comes twice: at the door, and for the tokens of what is missing"),
        "gateway.backend": ("call", "the backend's name in the configuration"),
        "gateway.outcome": ("call", "as the label of `gateway_upstream_calls_total`, or `cancelled`"),
        "gateway.hedged": ("call", "true: sent beside a call that took long"),
        "gateway.requests": ("call", "requests that travel in it, where they are several; it is linked to each"),
    }
)
"""Every attribute: on which spans, and what it says."""


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A finished span. Times are nanoseconds since 1970; `parent` is empty at the root of a trace.

    `remote`: the parent is the client's own span.
    """

    name: str
    kind: Kind
    context: TraceContext
    parent: str
    began: int
    ended: int
    attributes: Attributes
    links: tuple[TraceContext, ...] = field(default=())
    remote: bool = False
    failed: bool = False


BATCH = "batch"
"""The name of a span that stands for calls of a batch job: no request of a client is there, and so no method."""


def request_name(method: str, route: str) -> str:
    """A request's span's name: of few values, whatever clients send."""
    return f"{_known(method)} {route}".strip() if method else BATCH


def request_attributes(facts: Facts, code: str, status: int, method: str, route: str) -> dict[str, str | int | bool]:
    """What is told of a request; what is not known of it is left out. `code` is empty for one that went well."""
    told: dict[str, str | int | bool] = {"gateway.request_id": facts.request_id, "gateway.endpoint": facts.endpoint}
    if method:
        told |= {"http.request.method": _known(method), "http.response.status_code": status, "url.scheme": "http"}
    if route:
        told |= {"http.route": route, "url.path": route}
    if facts.model:
        told |= {
            "gen_ai.operation.name": facts.endpoint,
            "gen_ai.request.model": facts.model,
            "gen_ai.usage.input_tokens": facts.reported_tokens,
            "gateway.items": facts.items,
            "gateway.cache.hits": facts.hits,
            "gateway.cache.misses": facts.misses,
            "gateway.cache.duplicates": facts.duplicates,
            "gateway.upstream_tokens": facts.upstream_tokens,
        }
    if facts.tenant:
        told |= {"gateway.tenant": facts.tenant, "gateway.key_id": facts.key_id}
    if code:
        told["error.type"] = code
    return told


def failed_here(status: int) -> bool:
    """Whether a server span is an error: what the client did wrong is none of the server's (HTTP conventions)."""
    return status >= _SERVER_ERROR


def stage_attributes(stage: Stage) -> dict[str, str | int | bool]:
    """What is told of a stage."""
    return {"gateway.stage": stage.value}


def call_name(departure: Departure) -> str:
    """A client span's name, as the GenAI conventions have it."""
    return f"{departure.endpoint} {departure.model}".strip()


def call_attributes(
    departure: Departure, outcome: str, status: int, tokens: int, requests: int
) -> dict[str, str | int | bool]:
    """What is told of a call to a backend; `status` is 0 where no reply came."""
    told: dict[str, str | int | bool] = {
        "gen_ai.operation.name": departure.endpoint,
        "gen_ai.request.model": departure.model,
        "gen_ai.provider.name": departure.dialect,
        "http.request.method": "POST",
        "gateway.backend": departure.backend,
        "gateway.items": departure.items,
        "gateway.outcome": outcome,
    }
    told |= server(departure.url)
    if status:
        told["http.response.status_code"] = status
    if tokens:
        told["gen_ai.usage.input_tokens"] = tokens
    if departure.tries:
        told["http.request.resend_count"] = departure.tries
    if departure.hedged:
        told["gateway.hedged"] = True
    if requests > 1:
        told["gateway.requests"] = requests
    if outcome != ANSWERED:
        told["error.type"] = outcome
    return told


def server(url: str) -> dict[str, str | int | bool]:
    """Host and port of a backend's address, without anything that may be secret in it."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return {"server.address": parts.path}
    port = parts.port or _PORTS.get(parts.scheme)
    return {"server.address": parts.hostname or ""} | ({"server.port": port} if port else {})


def _known(method: str) -> str:
    return method if method in _METHODS else _OTHER


def reference() -> str:
    """The table of attributes in Markdown."""
    lines = ["| attribute | on | what it says |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {where} | {meaning} |" for name, (where, meaning) in ATTRIBUTES.items()]
    return "\n".join(lines) + "\n"

"""P: the section `traces`: whether requests are traced, how many, and where their spans go."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints

from gateway.config.addresses import is_address
from gateway.config.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.problem import Origin, Problem

_PATH = "/v1/traces"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")

Ratio = Annotated[float, Field(ge=0, le=1)]


class Traces(Section):
    """OpenTelemetry (see docs/traces.md). Needs the extra `gateway[otel]` once `endpoint` is set."""

    endpoint: str | None = Field(
        None,
        description="OTLP/HTTP collector that spans are sent to, as http://collector:4318 (without a path /v1/traces "
        "is meant); when unset nothing is traced, and a client's trace context is only handed on",
    )
    sample: Ratio = Field(
        0.1, description="share of requests traced, of those that bring no trace context of their own"
    )
    parent_based: bool = Field(
        default=True,
        description="whether a request with trace context is traced exactly if its client says so; else `sample` "
        "decides about all",
    )
    headers: dict[str, str] = Field(
        default_factory=dict, repr=False, description="HTTP headers sent to the collector, as {x-key: ${ENV}}"
    )
    service_name: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        "gateway", description="`service.name` of all spans"
    )

    @property
    def address(self) -> str:
        """Where spans are posted; empty where nothing is traced."""
        if self.endpoint is None:
            return ""
        bare = urlsplit(self.endpoint).path in {"", "/"}
        return self.endpoint.rstrip("/") + _PATH if bare else self.endpoint


def check_traces(traces: Traces, origin: Origin) -> Iterator[Problem]:
    """What is wrong with the section."""
    if traces.endpoint is not None and not is_address(traces.endpoint, ("http", "https")):
        yield origin.problem(("traces", "endpoint"), "not an address", "write http(s)://host:4318")
    for name, value in traces.headers.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            remedy = "write {name: value}, both visible ASCII"
            yield origin.problem(("traces", "headers"), "not HTTP headers", remedy)

"""P: what is relayed to services of the Jina API that are no models: reader, search, ground, segments, fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from gateway.catalogue.model import Model
from gateway.config.snapshot import Route, Served
from gateway.endpoints.passing import Errand, authorization
from gateway.endpoints.service_addresses import check_addresses
from gateway.endpoints.service_gauge import ServiceGauge
from gateway.endpoints.service_headers import declared, storable
from gateway.errors import Code, FieldError, GatewayError, invalid_request
from gateway.ports import Exchange
from gateway.vocabulary import Item, Job, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Json

_BUDGETS = ("x-token-budget", "x-max-tokens")
_TYPICAL_TOKENS = 2_000
"""Reserved for an answer whose length nobody bounds; what is more is charged when it is counted."""

_TUNING_TOKENS = 1_000_000
"""What a fine-tuned model costs (the product's own page), where the answer does not say."""

_OURS = frozenset({401, 402, 403, 407, 408, 425, 429})
"""Refusals that are for our key, or for its rate: the client can do nothing about them."""

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F))).replace("#", "")


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `setting` names its address in a backend's configuration, None for the backend's own `url`.

    `reads`: a GET names an address to read. `stored`: answers are kept for minutes. `free`: nothing is counted.
    `tokens` is what a call costs whose answer does not say.
    """

    name: str
    setting: str | None
    reads: bool = False
    stored: bool = False
    free: bool = False
    tokens: int | None = None


READER = Service("reader", "reader_url", reads=True, stored=True)
SEARCH = Service("search", "search_url", stored=True)
GROUND = Service("ground", "ground_url", stored=True)
SEGMENT = Service("segment", "segment_url", free=True)
FINE_TUNING = Service("fine-tuning", None, tokens=_TUNING_TOKENS)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it came: its path below the service's own with the query, its headers in lower case, its body."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


def errand_of(service: Service, asked: Asked, snapshot: Snapshot) -> Errand:
    """The call to a service.

    Raises:
        GatewayError: RESOURCE_NOT_FOUND (it is not configured), INPUT_INVALID (the body, or an address that leads
            where no client may send anybody).
    """
    backend = backend_of(service, snapshot)
    fields = _fields(asked.body)
    networks = snapshot.config.fetch.networks
    check_addresses(asked.target, asked.headers, fields, networks, reads=service.reads)
    headers = declared(asked.headers)
    settings = snapshot.config.backends[backend]
    served = Served(
        Model(
            name=service.name,
            owner=backend,
            title=service.name,
            description="",
            created=0,
            revision=service.name,
            context_length=0,
            shape=Shape.VERBATIM,
            price=settings.service_price,
        ),
        (Route(backend, service.name),),
    )
    target = _encoded(asked.target)
    return Errand(
        job=_job(service, asked.method, target, headers, asked.body),
        served=served,
        exchange=_exchange(service, Asked(asked.method, target, headers, asked.body), snapshot),
        gauge=ServiceGauge(free=service.free, otherwise=service.tokens if asked.method == "POST" else None),
        most=0 if service.free else _most(service, headers),
        guess=service.tokens is None,
        blamed="body" if asked.method == "POST" else "path",
        storable=service.stored and storable(headers, fields),
        keeps=_keeps if snapshot.passthrough is None else _keeps_all,
        hands_on=frozenset({"content-type", "x-usage-tokens", "location"}),
    )


def backend_of(service: Service, snapshot: Snapshot) -> str:
    """The first backend of the Jina API that has the service.

    Raises:
        GatewayError: RESOURCE_NOT_FOUND, naming the setting that is missing.
    """
    for name, backend in snapshot.config.backends.items():
        if backend.dialect == "jina" and (service.setting is None or getattr(backend, service.setting) is not None):
            return name
    missing = f"`backends.<name>.{service.setting}`" if service.setting else "a backend of dialect jina"
    text = f"This gateway relays no {service.name}: {missing} is not in its configuration"
    raise GatewayError(Code.RESOURCE_NOT_FOUND, text)


def relays_segments(snapshot: Snapshot) -> bool:
    """Whether segments are asked of the API rather than made here."""
    return any(backend.relay_segments for backend in snapshot.config.backends.values())


def _exchange(
    service: Service, asked: Asked, snapshot: Snapshot
) -> Callable[[Route, str | None], tuple[str, Exchange]]:
    def exchange(route: Route, credential: str | None) -> tuple[str, Exchange]:
        backend = snapshot.config.backends[route.backend]
        base: str = backend.url if service.setting is None else getattr(backend, service.setting)
        headers = {**asked.headers, **authorization(credential)}
        if asked.body:
            headers["content-type"] = "application/json"
        return base, Exchange(asked.method, asked.target, asked.body, headers)

    return exchange


def _job(service: Service, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Job:
    """What tells this answer from all others: everything that was sent."""
    text = Item.text(body.decode("utf-8", "surrogateescape"))
    sent = tuple(sorted({"method": method, "target": target, **{f"header:{n}": v for n, v in headers.items()}}.items()))
    return Job(service.name, service.name, service.name, ((text,),), Shape.VERBATIM, sent, None)


def _fields(body: bytes) -> dict[str, Json]:
    """The object in a body, where there is a body.

    Raises:
        GatewayError: INPUT_INVALID.
    """
    if not body:
        return {}
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid_request((FieldError("body", f"JSON decode error: {error.msg}", "json_invalid"),)) from None
    if not isinstance(fields, dict):
        raise invalid_request((FieldError("body", "Input should be a valid dictionary", "dict_type"),))
    return fields


def _most(service: Service, headers: Mapping[str, str]) -> int:
    for name in _BUDGETS:
        if (value := headers.get(name, "")).isascii() and value.isdigit():
            return min(int(value[:9]), _TUNING_TOKENS)
    return service.tokens or _TYPICAL_TOKENS


def _encoded(target: str) -> str:
    """A target as a request line takes it; what is encoded already stays."""
    raw = target.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if chr(byte) in _PRINTABLE else f"%{byte:02X}" for byte in raw)


def _keeps(status: int) -> bool:
    """Refusals of what the client sent, in the service's own words, and where an image is to be had."""
    return 300 <= status < 500 and status not in _OURS  # noqa: PLR2004 - HTTP's redirections and client errors


def _keeps_all(status: int) -> bool:
    """With a key of the client's own all refusals are the client's."""
    return 300 <= status < 500  # noqa: PLR2004 - as above

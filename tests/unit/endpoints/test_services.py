from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.authenticate import digest
from gateway.config.compile import compile_snapshot
from gateway.config.schema import Config
from gateway.endpoints.service_gauge import ServiceGauge
from gateway.endpoints.services import (
    FINE_TUNING,
    GROUND,
    READER,
    SEARCH,
    SEGMENT,
    Asked,
    Service,
    errand_of,
    relays_segments,
)
from gateway.errors import Code, GatewayError

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.passing import Errand
    from gateway.vocabulary import Json

URLS: dict[str, Any] = {
    name: f"https://{name[0]}.jina.example" for name in ("reader_url", "search_url", "ground_url", "segment_url")
}
PAGE = "/https://example.com/a?b=c"


def snapshot(server: dict[str, Any] | None = None, **backend: Json) -> Snapshot:
    jina = {"dialect": "jina", "url": "https://api.example/v1", "key": "k", "service_price": "0.00000002", **backend}
    own = {"dialect": "openai", "url": "https://own.example"}
    config = Config.model_validate({"backends": {"own": own, "jina": jina}, "server": server or {}})
    return compile_snapshot(config, secret=b"s" * 16, digest=digest)


def errand(
    service: Service = READER, target: str = PAGE, body: object = None, method: str = "", **headers: str
) -> Errand:
    content = b"" if body is None else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = Asked(method or ("POST" if content else "GET"), target, sent, content)
    return errand_of(service, asked, snapshot(**URLS))


def test_only_declared_headers_go_along_with_our_key() -> None:
    sent: dict[str, Any] = {
        "accept": "application/json",
        "authorization": "Bearer the-callers",
        "cookie": "a=b",
        "x_forwarded_for": "192.0.2.1",
        "x_gateway_lane": "bulk",
        "x_md_link_style": "referenced",
        "x_target_selector": "main",
        "dnt": "1",
    }
    base, exchange = errand(**sent).exchange(errand().served.routes[0], "ours")
    assert (base, exchange.method, exchange.path) == ("https://r.jina.example", "GET", PAGE)
    assert exchange.headers == {
        "accept": "application/json",
        "authorization": "Bearer ours",
        "x-md-link-style": "referenced",
        "x-target-selector": "main",
        "dnt": "1",
    }


@pytest.mark.parametrize(
    ("service", "target", "base"),
    [
        (SEARCH, "/?q=a%20b", "https://s.jina.example"),
        (GROUND, "/the%20statement", "https://g.jina.example"),
        (SEGMENT, "/?content=a", "https://s.jina.example"),
        (FINE_TUNING, "/v1/fine-tuning", "https://api.example/v1"),
    ],
)
def test_each_service_has_its_address(service: Service, target: str, base: str) -> None:
    made = errand(service, target, {"q": 1})
    found, exchange = made.exchange(made.served.routes[0], None)
    assert (found, exchange.path, exchange.body) == (base, target, b'{"q": 1}')
    assert exchange.headers == {"content-type": "application/json"}


@pytest.mark.parametrize("service", [READER, SEARCH, GROUND, SEGMENT])
def test_a_service_that_is_not_configured_is_not_found(service: Service) -> None:
    with pytest.raises(GatewayError) as caught:
        errand_of(service, Asked("GET", "/", {}), snapshot())
    assert caught.value.code is Code.RESOURCE_NOT_FOUND
    assert f"`backends.<name>.{service.name}_url`" in caught.value.message


def test_fine_tuning_wants_a_backend_of_the_api() -> None:
    made = Config.model_validate({"backends": {"own": {"dialect": "openai", "url": "https://own.example"}}})
    with pytest.raises(GatewayError, match="dialect jina"):
        errand_of(FINE_TUNING, Asked("GET", "/", {}), compile_snapshot(made, secret=b"s" * 16, digest=digest))


INSIDE = [
    "/http://127.0.0.1/",
    "/http://localhost:6379/",
    "/10.0.0.1",
    "/http://[::1]/",
    "/https%3A%2F%2F169.254.169.254%2Flatest",
    "/http://user@192.168.1.1:8443/",
    "/http://2130706433/",
    "/http://[::ffff:10.0.0.1]/",
    "/http://metadata.google.internal/",
    "/?url=http://10.0.0.1/",
    "/file:///etc/passwd",
    "/http://%31%30.0.0.1/",
    "/http://a\\@10.0.0.1/",
    "/http://[/",
]


@pytest.mark.parametrize("target", INSIDE)
def test_an_address_that_leads_inside_is_refused(target: str) -> None:
    cases: list[dict[str, Any]] = [{"target": target}, {"target": "/", "body": {"url": target[1:]}}]
    for made in cases:
        with pytest.raises(GatewayError) as caught:
            errand(**made)
        assert caught.value.code is Code.INPUT_INVALID
        assert caught.value.errors[0].type == "url_forbidden"


@pytest.mark.parametrize("service", [READER, SEARCH, GROUND])
@pytest.mark.parametrize("proxy", ["http://10.0.0.1:3128", "socks5://u:p@localhost:1080"])
def test_a_proxy_that_stands_inside_is_refused(service: Service, proxy: str) -> None:
    cases: list[dict[str, Any]] = [{"x_proxy_url": proxy}, *({"body": {n: proxy}} for n in ("proxyUrl", "proxy_url"))]
    for sent in cases:
        with pytest.raises(GatewayError) as caught:
            errand(service, "/", **sent)
        assert "X-Proxy-Url" in caught.value.errors[0].field or "roxy" in caught.value.errors[0].field


@pytest.mark.parametrize(
    "target",
    [PAGE, "/example.com/x", "/http://example.com:8080/", "/https%3A%2F%2Fexample.com", "/http://8.8.8.8/", "/", ""],
)
def test_public_addresses_pass_as_they_are(target: str) -> None:
    made = errand(target=target, x_proxy_url="http://u:p@proxy.example:3128")
    assert made.exchange(made.served.routes[0], None)[1].path == target


def test_a_target_is_written_so_that_a_request_line_takes_it() -> None:
    made = errand(target="/https://example.com/ä b\udcff#x")
    assert made.exchange(made.served.routes[0], None)[1].path == "/https://example.com/%C3%A4%20b%FF%23x"


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"'])
def test_a_body_is_an_object(body: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        errand_of(READER, Asked("POST", "/", {}, body), snapshot(**URLS))
    assert caught.value.errors[0].field == "body"
    with pytest.raises(GatewayError, match="no text"):
        errand(target="/", body={"url": 3})


STORED: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"accept": "application/json", "x_engine": "browser"}, True),
    ({"dnt": "0"}, True),
    ({"dnt": "1"}, False),
    ({"x_no_cache": "true"}, False),
    ({"x_set_cookie": "a=b"}, False),
    ({"accept": "text/event-stream"}, False),
    ({"body": {"url": "https://example.com", "noCache": True}}, False),
    ({"body": {"url": "https://example.com", "setCookies": ["a=b"]}}, False),
    ({"body": {"url": "https://example.com", "no_cache": False}}, True),
    ({"service": SEGMENT}, False),
    ({"service": FINE_TUNING}, False),
]


@pytest.mark.parametrize(("sent", "stored"), STORED, ids=range(len(STORED)))
def test_what_may_be_stored(sent: dict[str, Any], *, stored: bool) -> None:
    assert errand(**sent).storable is stored


def test_all_that_may_change_an_answer_is_in_its_identity() -> None:
    made = [
        errand(),
        errand(target="/https://example.com/b"),
        errand(SEARCH),
        errand(accept="application/json"),
        errand(x_md_hr="---"),
        errand(method="POST"),
        errand(body={"url": "https://example.com"}),
        errand(body={"url": "https://example.org"}),
    ]
    assert len({entry.job for entry in made}) == len(made)
    assert errand().job == errand(authorization="Bearer x", cookie="y").job


@pytest.mark.parametrize(
    ("sent", "most"),
    [({}, 2_000), ({"x_token_budget": "300"}, 300), ({"x_max_tokens": "7"}, 7), ({"x_max_tokens": "x"}, 2_000)],
)
def test_an_answers_length_is_reserved(sent: dict[str, Any], most: int) -> None:
    assert errand(**sent).most == most
    assert errand(SEGMENT, **sent).most == 0


def test_refusals_of_the_clients_doing_are_kept_and_ours_are_not() -> None:
    statuses = (302, 400, 404, 422, 451, 401, 402, 403, 429, 500, 503)
    assert [status for status in statuses if errand().keeps(status)] == [302, 400, 404, 422, 451]
    own_key = errand_of(READER, Asked("GET", PAGE, {}), snapshot({"authentication": "passthrough"}, **URLS))
    assert [status for status in statuses if own_key.keeps(status)] == [*statuses[:5], 401, 402, 403, 429]


def test_segments_are_relayed_where_the_configuration_says_so() -> None:
    assert not relays_segments(snapshot(**URLS))
    assert relays_segments(snapshot(**URLS, relay_segments=True))


WHOLES: list[tuple[bytes, dict[str, str], int | None]] = [
    (b'{"data": {"usage": {"tokens": 7}}}', {"content-type": "application/json"}, 7),
    (b'{"data": [{"usage": {"tokens": 7}}, {"usage": {"tokens": 5}}, {}]}', {"content-type": "application/json"}, 12),
    (
        b'{"data": [{"usage": {"tokens": 7}}], "meta": {"usage": {"tokens": 9}}}',
        {"content-type": "application/json"},
        9,
    ),
    (b'{"usage": {"total_tokens": 3}}', {"content-type": "application/json; charset=utf-8"}, 3),
    (b"[]", {"content-type": "application/json", "x-usage-tokens": "4"}, 4),
    (b"# Title", {"content-type": "text/plain", "x-usage-tokens": "11"}, 11),
    (b"# Title!", {"content-type": "text/plain"}, None),
    (b"# Title!", {"content-type": "text/plain", "x-usage-tokens": "many"}, None),
]


@pytest.mark.parametrize(("body", "headers", "counted"), WHOLES, ids=range(len(WHOLES)))
def test_tokens_are_what_the_answer_says(body: bytes, headers: dict[str, str], counted: int | None) -> None:
    gauge = ServiceGauge()
    assert gauge.whole(body, headers)
    assert gauge.counted == counted
    assert gauge.estimate == -(-len(body) // 4)
    free = ServiceGauge(free=True)
    free.whole(body, headers)
    assert free.counted == 0


def test_json_that_is_none_is_no_answer() -> None:
    assert not ServiceGauge().whole(b"<html>", {"content-type": "application/json"})


def test_of_snapshots_the_last_counts() -> None:
    gauge = ServiceGauge()
    first, last = (b'data: {"data": {"usage": {"tokens": %d}}}\n\n' % tokens for tokens in (3, 8))
    assert gauge.take(first[:9]) + gauge.take(first[9:] + last) + gauge.end() == first + last
    assert gauge.counted == 8


def test_an_endless_snapshot_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.endpoints.events.LONGEST_EVENT", 10)
    gauge = ServiceGauge()
    assert gauge.take(b"data: " + b"x" * 20) == b""
    assert gauge.failed


def test_a_model_costs_a_million_where_the_answer_does_not_say() -> None:
    assert errand(FINE_TUNING, "/v1/fine-tuning", {"a": 1}).gauge.estimate == 1_000_000
    assert errand(FINE_TUNING, "/v1/fine-tuning/3").gauge.estimate == 0

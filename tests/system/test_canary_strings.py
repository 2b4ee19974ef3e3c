"""Nothing that a client sends or owns is found again where an operator looks: logs, metrics, traces, console, files."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
from fakes.collector import collecting
from fakes.jina_upstream import Fault
from fakes.running_gateway import launched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MARK = "c4n4ry"
"""Begins everything that must be found nowhere."""

CLIENT, POOR = f"jina_{MARK}-key", f"jina_{MARK}-poor-key"
ADMIN = f"{MARK}-of-the-operator"
MODEL = "jina-embeddings-v3"
CONFIG = """
backends: {{jina: {{dialect: jina, url: "{url}", key: "${{UPSTREAM_KEY}}", retries: 0}}}}
tiers:
  wide: {{rpm: null, tpm: null, concurrency: null}}
  narrow: {{rpm: 1, tpm: 100, concurrency: 1}}
tenants:
  client: {{tier: wide, keys: ["${{CLIENT_KEY}}"]}}
  poor: {{tier: narrow, keys: ["${{POOR_KEY}}"]}}
admin: {{port: 0, token: "${{ADMIN_TOKEN}}"}}
observe: {{log_sample: 1.0, log_level: debug}}
traces: {{endpoint: "{collector}", sample: 1, headers: {{x-key: "${{COLLECTOR_KEY}}"}}}}
"""
ENV = {
    "UPSTREAM_KEY": "jina_" + "u" * 60,
    "CLIENT_KEY": CLIENT,
    "POOR_KEY": POOR,
    "ADMIN_TOKEN": ADMIN,
    "COLLECTOR_KEY": f"{MARK}-of-the-collector",
}
INPUT = f"{MARK} in an input"


def embedding(entry: Any = INPUT, **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": [entry], **fields}


def rejected() -> Iterator[tuple[str, Any, dict[str, str]]]:
    """Path, body and headers of calls that are refused before any backend is asked."""
    yield "/v1/embeddings", f'{{"model": "{MODEL}", "input": ["{INPUT}"'.encode(), {}
    yield "/v1/embeddings", b"\xff\xfe" + INPUT.encode(), {}
    yield "/v1/embeddings", embedding({MARK: INPUT}), {}
    yield "/v1/embeddings", embedding(dimensions=INPUT), {}
    yield "/v1/embeddings", embedding(**{MARK: INPUT}), {}
    yield "/v1/embeddings", embedding() | {"model": f"{MARK}-model"}, {}
    yield "/v1/embeddings", embedding({"image": f"http://127.0.0.1/{MARK}"}), {}
    yield "/v1/embeddings", embedding(), {"Authorization": f"Bearer jina_{MARK}-unknown"}
    yield "/v1/embeddings", embedding(), {"Authorization": f"Basic {MARK}"}
    yield "/v1/embeddings", embedding(), {"Content-Type": f"text/{MARK}"}
    yield "/v1/embeddings", embedding(), {"Content-Encoding": MARK}
    yield "/v1/embeddings", embedding(), {"X-Request-Timeout": MARK}
    yield "/v1/embeddings", embedding(), {"X-Gateway-Lane": MARK}
    yield "/v1/embeddings", embedding(), {"X-Gateway-Cache-Salt": f"{MARK} {MARK}"}
    yield "/v1/rerank", {"model": MODEL, "query": INPUT, "documents": [INPUT]}, {}
    yield "/v1/classify", {"model": MODEL, "input": [INPUT], "labels": MARK}, {}
    yield "/v1/chat/completions", {"model": MARK, "messages": [{"role": "user", "content": INPUT}]}, {}
    yield f"/{MARK}", embedding(), {}
    yield f"/v1/embeddings/{MARK}", embedding(), {}


HEADERS = {
    "User-Agent": MARK,
    "Cookie": f"session={MARK}",
    "Referer": f"http://{MARK}/",
    "X-Own": MARK,
    "X-Request-Id": f"{MARK} with spaces",
    "X-Forwarded-For": MARK,
    "X-Gateway-Cache-Salt": f"{MARK}-salt",
    "traceparent": f"00-{MARK}",
    "baggage": f"user={MARK}",
}

ECHOES = [
    Fault(status=200, body=b'{"data": "%s"}' % INPUT.encode()),
    Fault(status=200, body=INPUT.encode()),
    Fault(
        status=200,
        body=b'{"data": [{"index": "%b", "embedding": "%b"}], "usage": {"total_tokens": "%b"}}'
        % ((INPUT.encode(),) * 3),
    ),
    Fault(status=400, body=b'{"detail": "%s is bad"}' % INPUT.encode()),
    Fault(status=422, body=b'{"detail": [{"loc": ["%s"], "msg": "%s"}]}' % ((INPUT.encode(),) * 2)),
    Fault(status=401, body=b'{"detail": "%s"}' % INPUT.encode()),
    Fault(status=429, body=b'{"detail": "%s"}' % INPUT.encode(), headers={"retry-after": MARK}),
    Fault(status=500, body=INPUT.encode(), headers={"x-trace": MARK}),
    Fault(cut=20),
    Fault(),
]


async def succeed(gateway: Gateway) -> None:
    for _ in range(2):
        assert (await gateway.post(f"/v1/embeddings?key={MARK}", embedding(), **HEADERS)).status == 200
    reranked = {"model": "jina-reranker-v2-base-multilingual", "query": INPUT, "documents": [INPUT, "another"]}
    assert (await gateway.post("/v1/rerank", reranked)).status == 200
    sorted_ = {
        "model": "jina-embeddings-v3",
        "input": [INPUT],
        "labels": ["one", "other"],
    }  # a stored answer has its labels
    assert (await gateway.post("/v1/classify", sorted_)).status == 200
    assert (await gateway.post("/v1/segment", {"content": INPUT, "return_chunks": True})).status == 200


async def fail(gateway: Gateway, upstream: Upstream) -> None:
    for path, body, headers in rejected():
        answer = await gateway.post(path, body, **headers)
        assert 400 <= answer.status < 500, (path, headers)
    for path in (f"/v1/models/{MARK}", f"/{MARK}?q={MARK}", f"/v1/batches/{MARK}"):
        assert (await gateway.get(path, Authorization=f"Bearer {CLIENT}")).status >= 400
    for _ in range(2):
        refused = await gateway.post("/v1/embeddings", embedding(f"{INPUT} of a poor tenant"), POOR)
    assert refused.status == 429
    for number, fault in enumerate(ECHOES):
        upstream.faults.append(fault)
        answer = await gateway.post("/v1/embeddings", embedding(f"{INPUT} {number}"))
        assert answer.status >= 400 or fault.status == 429, fault  # that one is sent again in its turn
    host, port = gateway.url.removeprefix("http://").split(":")
    for raw in (f"{MARK}\r\n\r\n", f"POST /v1/embeddings HTTP/1.1\r\n{MARK}\r\n\r\n", f"GET /{MARK} HTTP/9.9\r\n\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw.encode())
        with suppress(ConnectionError):
            await reader.read()
        writer.close()


async def pages(gateway: Gateway) -> str:
    """All of the console."""
    url = gateway.said().partition("Console:")[2].split()[0]
    text = ""
    jar = aiohttp.CookieJar(unsafe=True)  # addresses have no cookies otherwise
    async with aiohttp.ClientSession(cookie_jar=jar, headers={"Sec-Fetch-Site": "same-origin"}) as http:
        async with http.get(url) as answer:
            proof = re.findall(r'name="proof" value="([0-9a-f]{64})"', await answer.text())
        async with http.post(f"{url}/login", data={"token": ADMIN, "proof": (proof or [""])[0]}) as answer:
            assert answer.status == 200
        for path in ("", "/tenants", "/keys", "/usage", "/backends", "/jobs", "/config"):
            async with http.get(url + path) as answer:
                assert answer.status == 200
                text += await answer.text()
    assert "aria-current" in text
    return text


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def places(text: str | bytes) -> list[str | bytes]:
    """Where the mark stands in a text, with what surrounds it."""
    mark: Any = MARK if isinstance(text, str) else MARK.encode()
    return [text[max(0, found.start() - 60) : found.end() + 30] for found in re.finditer(mark, text)]


async def test_canaries_are_found_nowhere(upstream: Upstream, upstream_url: str, tmp_path: Path) -> None:
    async with collecting() as collector:
        config = CONFIG.format(url=upstream_url, collector=collector.url)
        async with launched(config, key=CLIENT, env=ENV, data=tmp_path) as gateway:
            await succeed(gateway)
            await fail(gateway, upstream)
            shown = {"metrics": (await gateway.get("/metrics")).body.decode(), "console": await pages(gateway)}
            await gateway.on_disk()
            kept = dict(files(tmp_path))
            await gateway.stop()
            shown |= {"log": gateway.logged(), "output": gateway.said()}
    for name, text in shown.items():
        assert not places(text), name
    for name, content in (kept | dict(files(tmp_path))).items():
        assert not places(content), name
    assert len(collector.spans) > 100
    assert not places(b"".join(collector.bodies))
    # The test looks in the right places: what may be told is there.
    assert MODEL in shown["log"]
    assert shown["log"].count("AUTH_INVALID_API_KEY") >= 1
    assert any(b"client" in content for content in kept.values())

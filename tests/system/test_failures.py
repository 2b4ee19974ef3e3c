from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from fakes.jina_upstream import KEY, Fault, embeddings
from fakes.running_gateway import launched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Answer, Gateway

CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}", timeout: 3, retries: 1}},
           hasty: {{dialect: jina, url: {url}, key: "{key}", timeout: 0.3, retries: 1}},
           stranger: {{dialect: jina, url: {url}, key: not-the-upstreams-key}},
           gone: {{dialect: jina, url: "http://127.0.0.1:9", retries: 0}}}}
models: {{jina-embeddings-v4: {{backend: hasty}}, jina-clip-v1: {{backend: stranger}}, jina-clip-v2: {{backend: gone}}}}
"""
SECRET_TEXT = b"upstream internals"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def impatient(upstream_url: str) -> AsyncIterator[Gateway]:
    async with launched(CONFIG.format(url=upstream_url, key=KEY)) as gateway:
        yield gateway


def answering(changes: Callable[[Any], object], *texts: str) -> bytes:
    """A well-formed answer with one thing changed."""
    reply = embeddings({"model": "jina-embeddings-v3", "input": list(texts), "embedding_type": "base64"})
    changes(reply)
    return json.dumps(reply).encode()


FAULTS: list[tuple[str, list[Fault], tuple[int, str], int]] = [
    ("error", [Fault(500, SECRET_TEXT)] * 2, (503, "SERVICE_UNAVAILABLE"), 2),
    ("bad gateway", [Fault(502, b"<html>")] * 2, (503, "SERVICE_UNAVAILABLE"), 2),
    ("drop", [Fault()] * 2, (503, "SERVICE_UNAVAILABLE"), 2),
    ("no json", [Fault(200, SECRET_TEXT)], (503, "SERVICE_UNAVAILABLE"), 1),
    ("half", [Fault(200, answering(lambda made: None, "half")[:-9])], (503, "SERVICE_UNAVAILABLE"), 1),
    ("short", [Fault(200, answering(lambda made: made["data"].clear(), "short"))], (503, "SERVICE_UNAVAILABLE"), 1),
    ("long", [Fault(200, answering(lambda made: None, "long", "er"))], (503, "SERVICE_UNAVAILABLE"), 1),
    (
        "nan",
        [Fault(200, answering(lambda made: made["data"][0].update(embedding="AADAfw=="), "nan"))],
        (503, "SERVICE_UNAVAILABLE"),
        1,
    ),
    ("key", [Fault(401, b'{"detail":"Invalid API key"}')], (503, "SERVICE_UNAVAILABLE"), 1),
    ("money", [Fault(402, b'{"detail":"Insufficient"}')], (503, "SERVICE_UNAVAILABLE"), 1),
    ("busy", [Fault(429, b"{}", {"Retry-After": "30"})], (503, "SERVICE_UNAVAILABLE"), 1),
    ("redirect", [Fault(307, b"", {"Location": "http://127.0.0.1:9/"})], (503, "SERVICE_UNAVAILABLE"), 1),
    ("input", [Fault(422, b'{"detail":"the input is too odd"}')], (422, "INPUT_INVALID"), 1),
]


@pytest.mark.parametrize(("text", "faults", "failure", "calls"), FAULTS, ids=[fault[0] for fault in FAULTS])
async def test_what_the_upstream_does_wrong_is_told_in_our_words_and_not_kept(
    impatient: Gateway, upstream: Upstream, text: str, faults: list[Fault], failure: tuple[int, str], calls: int
) -> None:
    upstream.faults.extend(faults)
    answer = await impatient.embed(text, model="jina-embeddings-v3")
    assert answer.failure == failure
    assert len(upstream.calls) == calls
    assert KEY not in answer.body.decode() + str(answer.headers)
    assert SECRET_TEXT not in answer.body
    assert (answer.status == 503) == ("Retry-After" in answer.headers)
    after = await impatient.embed(text, model="jina-embeddings-v3")
    assert (after.status, after.cached) == (200, (0, 1))


async def test_a_pause_that_the_upstream_asks_for_is_passed_on(impatient: Gateway, upstream: Upstream) -> None:
    upstream.faults.append(Fault(429, b"{}", {"Retry-After": "30"}))
    answer = await impatient.embed("a pause", model="jina-embeddings-v3")
    assert answer.headers["Retry-After"] == "30"


@pytest.mark.parametrize("fault", [Fault(500), Fault(503), Fault(), Fault(429)], ids=["500", "503", "drop", "429"])
async def test_one_failure_is_not_seen_by_the_client(impatient: Gateway, upstream: Upstream, fault: Fault) -> None:
    upstream.faults.append(fault)
    answer = await impatient.embed(f"one {fault}", model="jina-embeddings-v3")
    assert answer.status == 200
    assert len(upstream.calls) == 2


async def test_an_upstream_that_takes_too_long_is_a_timeout_and_not_asked_again(
    impatient: Gateway, upstream: Upstream
) -> None:
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))
    answer = await impatient.embed("too long", model="jina-embeddings-v4")
    gate.set()
    assert answer.failure == (504, "SERVICE_TIMEOUT")


CUT_OFF: list[tuple[str, Callable[[Gateway], Awaitable[Answer]]]] = [
    ("the key is refused", lambda gateway: gateway.embed("refused", model="jina-clip-v1")),
    ("nobody listens", lambda gateway: gateway.embed("nobody", model="jina-clip-v2")),
]


@pytest.mark.parametrize(("reason", "ask"), CUT_OFF, ids=[entry[0] for entry in CUT_OFF])
async def test_a_backend_that_cannot_be_used_is_unavailable(
    impatient: Gateway, upstream: Upstream, reason: str, ask: Callable[[Gateway], Awaitable[Answer]]
) -> None:
    answer = await ask(impatient)
    assert answer.failure == (503, "SERVICE_UNAVAILABLE")
    assert len(upstream.calls) == (reason == "the key is refused")
    assert "not-the-upstreams-key" not in answer.body.decode() + impatient.logged()


async def test_a_failed_call_costs_no_tokens_but_a_request(impatient: Gateway, upstream: Upstream) -> None:
    before = await impatient.embed("paid", model="jina-embeddings-v3")
    upstream.faults.extend([Fault(500)] * 2)
    failed = await impatient.embed("a failed call", model="jina-embeddings-v3")
    left = [int(answer.headers["X-RateLimit-Remaining-Tokens"]) for answer in (before, failed)]
    assert left[1] >= left[0]
    requests = [int(answer.headers["X-RateLimit-Remaining-Requests"]) for answer in (before, failed)]
    assert requests[1] < requests[0]

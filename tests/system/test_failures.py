from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from fakes.jina_upstream import KEY, Fault, embeddings
from fakes.running_gateway import launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

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


def answering(*texts: str, **changes: Any) -> bytes:
    """A well-formed answer to an embeddings call, but for the changes."""
    reply = embeddings({"model": "jina-embeddings-v3", "input": list(texts), "embedding_type": "base64"})
    return json.dumps(reply | changes).encode()


@dataclass(frozen=True)
class Case:
    """What the upstream does to the call of a text, and what the client is told."""

    text: str
    faults: list[Fault]
    failure: tuple[int, str] = (503, "SERVICE_UNAVAILABLE")


NOT_A_NUMBER = {"index": 0, "embedding": "AADAfw=="}

CASES = [
    Case("error", [Fault(500, SECRET_TEXT)] * 2),
    Case("bad gateway", [Fault(502, b"<html>")] * 2),
    Case("drop", [Fault()] * 2),
    Case("redirect", [Fault(307, b"", {"Location": "http://127.0.0.1:9/"})] * 2),
    Case("no json", [Fault(200, SECRET_TEXT)]),
    Case("half", [Fault(200, answering("half")[:-9])]),
    Case("too few", [Fault(200, answering("too few", data=[]))]),
    Case("too many", [Fault(200, answering("too many", "and more"))]),
    Case("not a number", [Fault(200, answering("not a number", data=[NOT_A_NUMBER]))]),
    Case("another model", [Fault(200, answering("another model", model="jina-clip-v2"))]),
    Case("key", [Fault(401, b'{"detail": "Invalid API key", "code": "AUTH_INVALID_API_KEY"}')]),
    Case("money", [Fault(402, b'{"detail": "Insufficient"}')]),
    Case("input", [Fault(422, b'{"detail": "the input is too odd"}')], (422, "INPUT_INVALID")),
]


@pytest.mark.parametrize("case", CASES, ids=[case.text for case in CASES])
async def test_what_the_upstream_does_wrong_is_told_in_our_words_and_not_kept(
    impatient: Gateway, upstream: Upstream, case: Case
) -> None:
    upstream.faults.extend(case.faults)
    answer = await impatient.embed(case.text, model="jina-embeddings-v3")
    assert answer.failure == case.failure
    assert not upstream.faults
    assert KEY not in answer.body.decode() + str(answer.headers)
    assert SECRET_TEXT not in answer.body
    assert (answer.status == 503) == ("Retry-After" in answer.headers)
    asked = len(upstream.calls)
    after = await impatient.embed(case.text, model="jina-embeddings-v3")
    if case.failure[0] == 422:  # the same list would be refused again: for a while it is not even asked for
        assert after.failure == case.failure
        assert len(upstream.calls) == asked
    else:
        assert (after.status, after.cached) == (200, (0, 1))
        assert len(upstream.calls) == asked + 1


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
    assert answer.failure == (504, "SERVICE_TIMEOUT")
    gate.set()

    async def released() -> bool:
        return bool(upstream.calls)

    await until(released)
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(("model", "asked"), [("jina-clip-v1", 1), ("jina-clip-v2", 0)], ids=["wrong key", "nobody"])
async def test_a_backend_that_cannot_be_used_is_unavailable(
    impatient: Gateway, upstream: Upstream, model: str, asked: int
) -> None:
    answer = await impatient.embed("cut off", model=model)
    assert answer.failure == (503, "SERVICE_UNAVAILABLE")
    assert len(upstream.calls) == asked
    assert "not-the-upstreams-key" not in answer.body.decode() + impatient.logged()


async def test_a_failed_call_costs_no_tokens_but_a_request(impatient: Gateway, upstream: Upstream) -> None:
    before = await impatient.embed("paid", model="jina-embeddings-v3")
    upstream.faults.extend([Fault(500)] * 2)
    failed = await impatient.embed("a failed call", model="jina-embeddings-v3")
    left = [int(answer.headers["X-RateLimit-Remaining-Tokens"]) for answer in (before, failed)]
    assert left[1] >= left[0]
    requests = [int(answer.headers["X-RateLimit-Remaining-Requests"]) for answer in (before, failed)]
    assert requests[1] < requests[0]

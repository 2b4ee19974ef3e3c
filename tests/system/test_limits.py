from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from fakes.jina_upstream import KEY, Fault
from fakes.running_gateway import launched, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.jina_upstream import Upstream
    from fakes.running_gateway import Gateway

MODEL = "jina-embeddings-v3"
CONFIG = """
backends: {{jina: {{dialect: jina, url: {url}, key: "{key}"}}}}
tiers: {{three: {{rpm: 3}}, one: {{concurrency: 1}}, few: {{tpm: 700}}}}
limits: {{ip_failures_per_minute: 5}}
tenants:
  three: {{tier: three, keys: [key-of-three]}}
  one: {{tier: one, keys: [key-of-one], cache_scope: tenant}}
  hasty: {{tier: one, keys: [key-of-hasty], cache_scope: tenant}}
  few: {{tier: few, keys: [key-of-few]}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def limited(upstream_url: str) -> AsyncIterator[Gateway]:
    async with launched(CONFIG.format(url=upstream_url, key=KEY), key="unused") as gateway:
        yield gateway


async def test_the_fourth_of_three_requests_is_refused_and_the_headers_count_down(
    limited: Gateway, upstream: Upstream
) -> None:
    for left in ("2", "1", "0"):
        answer = await limited.embed("three", "key-of-three", MODEL)
        assert answer.status == 200
        assert answer.headers["X-RateLimit-Remaining-Requests"] == left
        assert "X-RateLimit-Remaining-Tokens" not in answer.headers
    answer = await limited.embed("three", "key-of-three", MODEL)
    assert answer.failure == (429, "RATE_REQUEST_LIMIT_EXCEEDED")
    assert "3/3 requests per minute" in answer.json["detail"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert answer.headers["X-RateLimit-Remaining-Requests"] == "0"
    assert len(upstream.calls) == 1


async def test_one_at_a_time_is_refused_at_once_and_free_right_after(limited: Gateway, upstream: Upstream) -> None:
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))
    first = asyncio.create_task(limited.embed("slow", "key-of-one", MODEL))
    await until(lambda: _begun(upstream))
    second = await limited.embed("quick", "key-of-one", MODEL)
    assert second.failure == (429, "RATE_CONCURRENCY_LIMIT_EXCEEDED")
    assert "1/1 concurrent requests" in second.json["detail"]
    assert int(second.headers["Retry-After"]) >= 1
    gate.set()
    assert (await first).status == 200
    assert (await limited.embed("quick", "key-of-one", MODEL)).status == 200


async def test_a_client_that_hangs_up_frees_its_slot_and_its_answer_is_kept(
    limited: Gateway, upstream: Upstream
) -> None:
    gate = asyncio.Event()
    upstream.faults.append(Fault(gate=gate))
    gone = asyncio.create_task(limited.embed("left behind", "key-of-hasty", MODEL))
    await until(lambda: _begun(upstream))
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    gate.set()

    async def served() -> bool:
        answer = await limited.embed("left behind", "key-of-hasty", MODEL)
        assert answer.status in {200, 429}
        if answer.status == 200:
            assert answer.cached == (1, 0)
        return answer.status == 200

    await until(served)
    assert len(upstream.calls) == 1


async def test_what_is_stored_is_served_when_tokens_are_used_up(limited: Gateway, upstream: Upstream) -> None:
    text = " ".join(["word"] * 120)
    assert (await limited.embed(f"first {text}", "key-of-few", MODEL)).status == 200
    refused = await limited.embed(f"second {text}", "key-of-few", MODEL)
    assert refused.failure == (429, "RATE_TOKEN_LIMIT_EXCEEDED")
    assert "tokens per minute" in refused.json["detail"]
    assert "Retry-After" in refused.headers
    stored = await limited.embed(f"first {text}", "key-of-few", MODEL)
    assert (stored.status, stored.cached) == (200, (1, 0))
    assert stored.headers["X-RateLimit-Remaining-Tokens"] == refused.headers["X-RateLimit-Remaining-Tokens"]
    assert len(upstream.calls) == 1


async def test_an_address_that_guesses_keys_is_stopped_and_a_known_key_from_there_is_not(
    limited: Gateway, upstream: Upstream
) -> None:
    del upstream
    statuses = [(await limited.embed("guess", f"guess-{number}", MODEL)).failure for number in range(6)]
    assert statuses == [(401, "AUTH_INVALID_API_KEY")] * 5 + [(429, "RATE_IP_LIMIT_EXCEEDED")]
    assert (await limited.embed("known", "key-of-one", MODEL)).status == 200


async def _begun(upstream: Upstream) -> bool:
    """The upstream holds the request whose fault was next."""
    return not upstream.faults

"""The reader and its like on a virtual clock: stored for minutes, counted by what they say, refused in their words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fakes.gateway import OTHER_KEY, SEARCH_KEY, Gateway, configured
from fakes.jina_upstream import KEY
from fakes.streams import FakeClient, FakeStream, FakeStreams, relay_of

from gateway.config.backends import Backend
from gateway.config.schema import Cache, Server, Tenant, Tier
from gateway.config.spending import Budget
from gateway.endpoints import services
from gateway.errors import Code, GatewayError
from gateway.vocabulary import CacheScope, Directives, Facts

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.passing import Errand
    from gateway.relay import Whole

JSON = {"content-type": "application/json", "x-powered-by": "something", "set-cookie": "a=b"}
PAGE = b'{"code": 200, "data": {"content": "text", "usage": {"tokens": 40}}}'
TARGET = "/https://example.com/"


def jina(**changes: Any) -> Backend:
    return Backend(dialect="jina", url="http://api", key=KEY, reader_url="http://reader", retries=0, **changes)


class Reading:
    """One gateway with a reader behind it."""

    def __init__(self, *answers: FakeStream, **changes: Any) -> None:
        changes.setdefault("backends", {"jina": jina(service_price="0.00000002")})
        changes.setdefault("tiers", {"small": Tier(rpm=100, tpm=100_000, concurrency=2)})
        self.gateway = Gateway(configured(**changes))
        self.streams = FakeStreams()
        self.streams.answers.extend(answers)
        self.relay = relay_of(self.gateway, self.streams)
        self.client = FakeClient()
        self.facts = Facts("reader", "request-1")

    async def read(
        self,
        key: str | None = SEARCH_KEY,
        directives: Directives = Directives(),  # noqa: B008 - immutable
        **headers: str,
    ) -> Whole | None:
        self.facts = Facts("reader", "request-1")
        call = self.gateway.call(b"", key, "192.0.2.1", directives)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}

        async def check(snapshot: Snapshot) -> Errand:
            return services.errand_of(services.READER, services.Asked("GET", TARGET, sent), snapshot)

        return await self.relay.serve(call, self.facts, check, self.client)

    def page(self, body: bytes = PAGE, status: int = 200) -> None:
        self.streams.answers.append(FakeStream(self.gateway.clock, status, JSON, [body]))


async def test_a_page_is_counted_and_stored_with_the_headers_that_are_the_clients() -> None:
    reading = Reading()
    reading.page()
    first = await reading.read()
    assert first is not None
    assert (first.body, first.stored, first.hit) == (PAGE, True, False)
    assert first.headers == {"content-type": "application/json"}
    assert (reading.facts.paid_tokens, reading.facts.nanos) == (40, 800)
    again = await reading.read()
    assert again is not None
    assert (again.body, again.hit, again.headers["x-usage-tokens"]) == (PAGE, True, "40")
    assert (reading.facts.paid_tokens, reading.facts.reported_tokens, reading.facts.saved_nanos) == (0, 40, 800)
    used = reading.gateway.used("search")
    assert (used.requests, used.tokens, used.slots) == (2, 40, 0)
    assert len(reading.streams.asked) == 1
    assert reading.streams.asked[0][1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("second", "hit"),
    [
        ({}, True),
        ({"key": OTHER_KEY}, True),
        ({"accept": "text/plain"}, False),
        ({"x_md_hr": "---"}, False),
        ({"x_no_cache": "true"}, False),
        ({"dnt": "1"}, False),
        ({"x_set_cookie": "a=b"}, False),
        ({"directives": Directives(no_cache=True)}, False),
        ({"directives": Directives(no_store=True)}, False),
        ({"directives": Directives(salt="mine")}, False),
        ({"directives": Directives(max_age=60)}, True),
        ({"authorization": "Bearer x", "cookie": "y"}, True),
    ],
)
async def test_another_call_has_it_only_if_nothing_differs(second: dict[str, Any], *, hit: bool) -> None:
    reading = Reading()
    reading.page()
    reading.page()
    await reading.read()
    answer = await reading.read(**second)
    assert answer is not None
    assert answer.hit is hit


@pytest.mark.parametrize(
    ("scope", "org", "hit"),
    [
        (CacheScope.OFF, "default", False),
        (CacheScope.TENANT, "default", False),
        (CacheScope.ORG, "default", True),
        (CacheScope.ORG, "another", False),
        (CacheScope.SHARED, "another", False),
    ],
)
async def test_it_is_shared_as_the_tenants_scope_says(scope: CacheScope, org: str, *, hit: bool) -> None:
    tenants = {"search": Tenant(keys=(SEARCH_KEY,)), "other": Tenant(keys=(OTHER_KEY,), org=org)}
    reading = Reading(tenants=tenants, cache=Cache(scope=scope))
    reading.page()
    reading.page()
    await reading.read()
    answer = await reading.read(OTHER_KEY)
    assert answer is not None
    assert answer.hit is hit


async def test_what_is_too_old_for_the_caller_is_asked_again() -> None:
    reading = Reading()
    reading.page()
    reading.page()
    await reading.read()
    await reading.gateway.clock.advance(61.0)
    answer = await reading.read(directives=Directives(max_age=60))
    assert answer is not None
    assert not answer.hit
    reading.gateway.answers.down = True
    with pytest.raises(GatewayError, match="only-if-cached"):
        await reading.read(directives=Directives(only_if_cached=True))


async def test_a_refusal_of_what_was_sent_keeps_its_words_costs_nothing_and_is_not_stored() -> None:
    reading = Reading()
    told = b'{"data": null, "code": 422, "status": 42206, "name": "AssertionFailureError"}'
    for _ in range(2):
        reading.page(told, 422)
        answer = await reading.read()
        assert answer is not None
        assert (answer.status, answer.body, answer.stored) == (422, told, False)
    assert reading.facts.paid_tokens == 0
    assert reading.gateway.used("search").tokens == 0


@pytest.mark.parametrize("status", [401, 402, 403, 500, 503])
async def test_a_refusal_of_our_key_or_a_failure_is_ours_to_tell(status: int) -> None:
    reading = Reading()
    reading.page(b'{"readableMessage": "key jina_u..."}', status)
    with pytest.raises(GatewayError) as caught:
        await reading.read()
    assert caught.value.code is Code.SERVICE_UNAVAILABLE
    assert "jina_u" not in caught.value.message


async def test_a_refusal_for_our_rate_is_waited_out_and_never_passed_on() -> None:
    reading = Reading()
    reading.page(b"{}", 429)
    reading.page()
    task = asyncio.ensure_future(reading.read())
    await reading.gateway.clock.advance(2.0)
    answer = await task
    assert answer is not None
    assert answer.status == 200
    assert reading.gateway.used("search").tokens == 40


async def test_a_client_without_a_key_has_the_limit_of_its_address_and_no_cache() -> None:
    reading = Reading()
    for _ in range(2):
        reading.page()
        answer = await reading.read(None)
        assert answer is not None
        assert (answer.hit, answer.stored) == (False, False)
    assert (reading.facts.tenant, reading.facts.tier) == ("@anonymous", "anonymous")
    for _ in range(18):
        reading.page()
        await reading.read(None)
    with pytest.raises(GatewayError) as caught:
        await reading.read(None)
    assert caught.value.code is Code.RATE_REQUEST_LIMIT_EXCEEDED


async def test_a_search_without_a_key_is_refused() -> None:
    reading = Reading()
    reading.facts = Facts("search", "request-1")
    call = reading.gateway.call(b"", None, "192.0.2.1", Directives())

    async def check(_: Snapshot) -> Errand:
        raise AssertionError("nobody is known")

    with pytest.raises(GatewayError) as caught:
        await reading.relay.serve(call, reading.facts, check, reading.client)
    assert caught.value.code is Code.AUTH_MISSING_API_KEY


async def test_a_key_that_is_passed_through_is_the_one_that_the_reader_sees() -> None:
    reading = Reading(tenants={}, server=Server(authentication="passthrough"), backends={"jina": jina()})
    reading.page()
    await reading.read("jina_of-a-caller")
    assert reading.streams.asked[0][1].headers["authorization"] == "Bearer jina_of-a-caller"
    reading.page(b'{"code": 402, "status": 40203}', 402)
    answer = await reading.read("jina_of-another")
    assert answer is not None
    assert answer.status == 402


async def test_snapshots_are_streamed_and_counted_but_not_stored() -> None:
    reading = Reading()
    events = [b'data: {"content": "a", "usage": {"tokens": %d}}\n\n' % tokens for tokens in (1, 30)]
    reading.streams.answers.append(FakeStream(reading.gateway.clock, steps=events))
    assert await reading.read(accept="text/event-stream") is None
    assert reading.client.written == events
    assert reading.facts.paid_tokens == 30
    assert not reading.gateway.answers.entries


async def test_a_budget_that_is_spent_is_in_the_way() -> None:
    budget = Budget(usd="0.0000415", per="month")
    tenants = {"search": Tenant(tier="free", keys=(SEARCH_KEY,), budgets=(budget,))}
    reading = Reading(tenants=tenants, tiers={"free": Tier()})
    for _ in range(2):
        reading.page()
        await reading.read(x_no_cache="true")
    with pytest.raises(GatewayError) as caught:
        await reading.read(x_no_cache="true")
    assert caught.value.code is Code.AUTHZ_INSUFFICIENT_BALANCE


async def test_a_page_that_is_too_large_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.plan.pages.LARGEST", 10)
    reading = Reading()
    reading.page()
    answer = await reading.read()
    assert answer is not None
    assert not answer.stored
    monkeypatch.setattr("gateway.relay.delivery.WHOLE_BYTES", 10)
    reading.page()
    with pytest.raises(GatewayError, match="not usable"):
        await reading.read()


async def test_a_guess_is_no_reason_to_refuse_a_small_plan() -> None:
    reading = Reading(tiers={"small": Tier(tpm=1_000)})
    reading.page()
    assert await reading.read() is not None


async def test_cached_tokens_count_where_the_configuration_says_so() -> None:
    reading = Reading()
    limits = reading.gateway.pipeline.snapshot.config.limits.model_copy(update={"count_cached_tokens": True})
    config = reading.gateway.pipeline.snapshot.config.model_copy(update={"limits": limits})
    object.__setattr__(reading.gateway.pipeline.snapshot, "config", config)
    reading.page()
    await reading.read()
    await reading.read()
    assert reading.gateway.used("search").tokens == 80

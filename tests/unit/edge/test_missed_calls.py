"""Texts that nobody has, asked for by calls of one form that miss in one moment: one call, and each told by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from fakes.gateway import OTHER_KEY, SEARCH_KEY
from fakes.jina_upstream import Fault, tokens_of
from fakes.moment import OTHER_FIELD, lists, missing, served_by, told, until, wide
from fakes.talk import ONE, taken, wire

from gateway.config.schema import Tenant, Tier
from gateway.config.spending import Balance
from gateway.fast import form, misses
from gateway.fast.missed import concluded


async def test_they_are_one_call_of_which_each_pays_its_share() -> None:
    texts = [f"text {'word ' * number}" for number in range(6)]
    async with missing(wide(), texts) as (served, lines, answered):
        answered()
        answers = await told(lines)
        assert lists(served) == [texts]
        assert [status for status, _, _ in answers] == [200] * 6
        assert all("fwd=miss" in fields["Cache-Status"] for _, fields, _ in answers)
        tokens = [body["usage"]["total_tokens"] for _, _, body in answers]
        assert sum(tokens) == sum(map(tokens_of, texts))
        await served.gateway.books.flush()
        ((_, tally),) = await served.gateway.books.rows("search", 0, 2**31)
        assert (tally.requests, tally.upstream_tokens) == (7, sum(tokens) + 1)
        alone = [(await line.ask(wire(ONE | {"input": text}))) for line, text in zip(lines, texts, strict=True)]
        assert [orjson.loads(body) for _, _, body in alone] == [body for _, _, body in answers]
        assert {fields["Cache-Status"] for _, fields, _ in alone} == {"gateway; hit"}
        assert lists(served) == [texts]


async def test_no_more_go_together_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "MOST_TOGETHER", 4)
    texts = [str(number) for number in range(7)]
    async with missing(wide(), texts) as (served, lines, answered):
        answered()
        assert {status for status, _, _ in await told(lines)} == {200}
        assert [len(asked) for asked in lists(served)] == [4, 3]


async def test_two_keys_never_share_a_call() -> None:
    async with missing(wide(), ["x", "y", "z"], [SEARCH_KEY, OTHER_KEY, SEARCH_KEY]) as (served, lines, answered):
        answered()
        assert {status for status, _, _ in await told(lines)} == {200}
        assert sorted(lists(served)) == [["x", "z"], ["y"]]


async def test_the_same_text_is_asked_once_and_paid_by_the_first() -> None:
    async with missing(wide(), ["x y", "x y", "z"]) as (served, lines, answered):
        answered()
        (first, second, third) = await told(lines)
        assert lists(served) == [["x y", "z"]]
        assert "collapsed" in second[1]["Cache-Status"]
        assert "collapsed" not in first[1]["Cache-Status"] + third[1]["Cache-Status"]
        counted = served.gateway.counted[1:]
        assert sorted((facts.upstream_tokens, facts.saved_tokens) for facts in counted) == [(0, 2), (1, 0), (2, 0)]


async def test_a_backend_that_is_to_get_no_batches_gets_none() -> None:
    async with missing(wide(**served_by(batch=False)), ["x", "y"]) as (served, lines, answered):
        answered()
        assert {status for status, _, _ in await told(lines)} == {200}
        assert sorted(lists(served)) == [["x"], ["y"]]


async def test_a_bad_text_is_refused_alone() -> None:
    texts = ["w", "x", "bad", "y", "z"]
    async with missing(wide(), texts) as (served, lines, answered):
        served.gateway.upstream.bad.add("bad")
        answered()
        answers = await told(lines)
        assert [status for status, _, _ in answers] == [200, 200, 422, 200, 200]
        assert "an input is bad" in answers[2][2]["detail"]
        stored = len(served.gateway.answers.entries)
        assert stored == 5  # "a" and the four
        again = len(lists(served))
        assert (await lines[0].ask(wire(ONE | {"input": "bad"})))[0] == 422
        assert len(lists(served)) == again  # refused again without asking


async def test_texts_that_are_nearly_all_bad_are_tried_by_themselves() -> None:
    texts = [f"bad {number}" for number in range(16)] + ["good", "fine"]
    async with missing(wide(), texts) as (served, lines, answered):
        served.gateway.upstream.bad.update(texts[:16])
        answered()
        answers = await told(lines)
        assert [status for status, _, _ in answers] == [422] * 16 + [200, 200]
        assert [facts.upstream_tokens for facts in served.gateway.counted] == [1, 1, 1]


async def test_a_backend_that_fails_fails_them_all() -> None:
    async with missing(wide(), ["x", "y"]) as (served, lines, answered):
        served.gateway.upstream.faults.extend([Fault(400, b'{"detail": "no such thing", "code": "X"}')] * 40)
        served.gateway.upstream.keys.clear()
        answered()
        answers = await told(lines)
        assert {status for status, _, _ in answers} <= {400, 422, 502, 503}
        assert len(served.gateway.counted) == 1


async def test_each_ends_at_its_deadline() -> None:
    tenants = {"search": Tenant(tier="small", keys=(SEARCH_KEY,), timeout=0.5)}
    async with missing(wide(tenants=tenants), ["x", "y"]) as (served, lines, answered):
        gate = asyncio.Event()
        served.gateway.upstream.faults.append(Fault(gate=gate))
        answered()
        await until(lambda: not served.gateway.upstream.faults)
        served.gateway.clock.now += 0.6
        answers = await told(lines)
        assert [(status, body["code"]) for status, _, body in answers] == [(504, "SERVICE_TIMEOUT")] * 2
        assert "0.5" in answers[0][2]["detail"]
        gate.set()


async def test_one_that_goes_away_among_others_is_asked_for_and_paid() -> None:
    async with missing(wide(), ["x", "y"]) as (served, lines, answered):
        gate = asyncio.Event()
        served.gateway.upstream.faults.append(Fault(gate=gate))
        answered()
        await until(lambda: not served.gateway.upstream.faults)
        lines[0].writer.transport.abort()
        await until(lambda: len(served.http.connections) == 2)
        gate.set()
        assert (await lines[1].answer())[0] == 200
        await until(lambda: taken(served) == 3)
        assert sorted(facts.upstream_tokens for facts in served.gateway.counted[1:]) == [1, 1]


async def test_one_that_is_gone_before_is_not_asked_for() -> None:
    async with missing(wide(), ["x", "y"]) as (served, lines, answered):
        lines[0].writer.transport.abort()
        await until(lambda: len(served.http.connections) == 2)
        answered()
        assert (await lines[1].answer())[0] == 200
        assert lists(served) == [["y"]]


async def test_one_by_itself_that_goes_away_before_a_backend_is_asked_is_not_asked_for() -> None:
    async with missing(wide(), ["x"]) as (served, lines, answered):
        claims = served.gateway.claims
        own, asked = claims.claim, asyncio.Event()

        async def waiting(*_: Any) -> Any:
            asked.set()
            await asyncio.Event().wait()

        claims.claim = waiting
        answered()
        await asked.wait()
        lines[0].writer.transport.abort()
        await until(lambda: served.gateway.used("search").slots == 0)
        claims.claim = own
        assert lists(served) == []
        await until(lambda: 'status="499"' in served.metrics.render()[0].decode())
        assert not served.gateway.pipeline.in_flight._flights


async def test_one_that_its_limits_do_not_let_pass_is_refused_alone() -> None:
    tiers = {"small": Tier(rpm=100, tpm=40, concurrency=10)}
    texts = ["x", "long " * 60, "z"]
    async with missing(wide(tiers=tiers), texts) as (served, lines, answered):
        answered()
        answers = await told(lines)
        assert [(status, body.get("code")) for status, _, body in answers] == [
            (200, None),
            (429, "RATE_TOKEN_LIMIT_EXCEEDED"),
            (200, None),
        ]
        assert sorted(text for asked in lists(served) for text in asked) == ["x", "z"]


async def test_a_balance_is_held_to() -> None:
    tenants = {"search": Tenant(tier="small", keys=(SEARCH_KEY,), balance=Balance(starting_tokens=20))}
    texts = ["x", "y " * 30, "z"]
    async with missing(wide(tenants=tenants), texts) as (served, lines, answered):
        answered()
        answers = await told(lines)
        assert [status for status, _, _ in answers] == [200, 403, 200]
        assert sorted(text for asked in lists(served) for text in asked) == ["x", "z"]


async def test_a_defect_is_told_as_one_and_takes_nobody_along(monkeypatch: pytest.MonkeyPatch) -> None:

    def broken(pipeline: Any, missed: Any, *rest: Any, **more: Any) -> Any:
        if missed.ongoing.texts == ["x"]:
            missed.quota.settle()
            raise RuntimeError
        return concluded(pipeline, missed, *rest, **more)

    async with missing(wide(), ["x", "y"]) as (_, lines, answered):
        monkeypatch.setattr(misses, "concluded", broken)
        answered()
        assert [status for status, _, _ in await told(lines)] == [500, 200]
    monkeypatch.setattr(misses, "concluded", concluded)
    async with missing(wide(), ["x", "y"]) as (served, lines, answered):
        seen: list[str] = []
        own = served.observer.request

        def counted(facts: Any, *rest: Any) -> None:
            seen.append(facts.request_id)
            own(facts, *rest)
            if len(seen) == 1:
                raise RuntimeError

        monkeypatch.setattr(served.observer, "request", counted)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        answered()
        assert [status for status, _, _ in await told(lines)] == [200, 200]
        assert len(set(seen)) == 2
    monkeypatch.setattr(misses, "covered", lambda *_: 1 / 0)
    async with missing(wide(), ["x"]) as (_, lines, answered):
        answered()
        assert [status for status, _, _ in await told(lines)] == [500]


async def test_one_by_itself_that_is_refused_is_not_tried_again() -> None:
    async with missing(wide(), ["x"]) as (served, lines, answered):
        served.gateway.upstream.faults.append(Fault(422, OTHER_FIELD))
        answered()
        assert [status for status, _, _ in await told(lines)] == [422]
        assert lists(served) == [["x"]]


async def test_what_may_have_been_paid_for_is_not_asked_again() -> None:
    async with missing(wide(), ["x", "y"]) as (served, lines, answered):
        served.gateway.upstream.faults.append(Fault(seconds=1_000_000))
        answered()
        assert [(status, body["code"]) for status, _, body in await told(lines)] == [(504, "SERVICE_TIMEOUT")] * 2
        assert lists(served) == [["x", "y"]]


async def test_one_that_goes_away_before_the_others_departed_takes_nothing_along() -> None:
    async with missing(wide(), ["x", "y"]) as (served, lines, answered):
        claims = served.gateway.claims
        own, asked, gate = claims.claim, asyncio.Event(), asyncio.Event()

        async def waiting(*rest: Any) -> Any:
            asked.set()
            await gate.wait()
            return await own(*rest)

        claims.claim = waiting
        answered()
        await asked.wait()
        lines[0].writer.transport.abort()
        await until(lambda: len(served.http.connections) == 2)
        gate.set()
        assert (await lines[1].answer())[0] == 200
        await until(lambda: taken(served) == 3)
        assert lists(served) == [["x", "y"]]


async def test_what_is_refused_for_the_whole_of_them_is_tried_for_each() -> None:
    keys = [SEARCH_KEY, SEARCH_KEY, OTHER_KEY]  # the third shares the flight of the second
    balance = Balance(starting_tokens=1_000)
    tenants = {
        "search": Tenant(tier="small", keys=(SEARCH_KEY,), balance=balance),
        "other": Tenant(tier="small", keys=(OTHER_KEY,), balance=balance),
    }
    async with missing(wide(tenants=tenants), ["x", "y", "y"], keys) as (served, lines, answered):
        served.gateway.upstream.faults.append(Fault(422, OTHER_FIELD))
        answered()
        assert [status for status, _, _ in await told(lines)] == [200] * 3
        assert lists(served)[0] == ["x", "y"]
        assert sorted(lists(served)[1:]) == [["x"], ["y"]]
        assert sum(facts.upstream_tokens for facts in served.gateway.counted[1:]) == 2


@pytest.mark.parametrize(("seconds", "turns"), [(2 * misses.SLOW, [1, 3, 5]), (0.0, [1])], ids=["slow", "quick"])
async def test_after_a_slow_backend_they_are_told_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch, seconds: float, turns: list[int]
) -> None:
    monkeypatch.setattr(misses, "AT_ONCE", 2)
    texts = [str(number) for number in range(5)]
    told_so_far: list[int] = []
    async with missing(wide(), texts) as (served, lines, answered):
        own = misses.Misses._answer

        def counted(self: misses.Misses) -> None:
            told_so_far.append(taken(served))
            own(self)

        monkeypatch.setattr(misses.Misses, "_answer", counted)
        gate = asyncio.Event()
        served.gateway.upstream.faults.append(Fault(gate=gate))
        answered()
        await until(lambda: not served.gateway.upstream.faults)
        served.gateway.clock.now += seconds
        gate.set()
        assert {status for status, _, _ in await told(lines)} == {200}
        assert told_so_far == turns

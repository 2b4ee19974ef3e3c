"""Calls in pieces, several at once, and bodies that look like calls, before the fast path."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from fakes.jina_upstream import Fault
from fakes.talk import ONE, generous, taken, talking, warm, wire

if TYPE_CHECKING:
    from collections.abc import Sequence

MEANWHILE = 0.1
BODY = len(orjson.dumps(ONE))
CUTS = [[20], [-1], [-BODY], [-BODY, -5, -2], [1, 2, 3], [-BODY - 2]]


@pytest.mark.parametrize("cuts", CUTS, ids=str)
async def test_a_call_in_pieces_is_answered_once(cuts: Sequence[int]) -> None:
    async with talking(generous()) as (served, line):
        await warm(served, line)
        sent = wire(ONE)
        ends = [cut % len(sent) for cut in cuts]
        pieces = [sent[start:end] for start, end in zip([0, *ends], [*ends, len(sent)], strict=True)]
        for _ in range(3):
            for piece in pieces:
                await line.send(piece)
                await asyncio.sleep(0.001)
            assert (await line.answer())[0] == 200
        assert served.gateway.used("search").requests == 6


CALL, NEW = wire(ONE), wire(ONE | {"input": "new"})
AT_ONCE = [[CALL * 3], [CALL * 2 + CALL[:50], CALL[50:]], [NEW + CALL, CALL]]


@pytest.mark.parametrize("sent", AT_ONCE, ids=range(len(AT_ONCE)))
async def test_calls_at_once_on_a_connection_are_answered_in_their_order(sent: list[bytes]) -> None:
    async with talking(generous()) as (served, line):
        await warm(served, line)
        await line.send(*sent)
        answers = [await line.answer() for _ in range(3)]
        assert [status for status, _, _ in answers] == [200] * 3
        assert served.gateway.used("search").requests == 6
        assert (answers[1][2] == answers[2][2]) is True


async def test_a_call_behind_one_that_waits_is_not_answered_before_it() -> None:
    async with talking(generous()) as (served, line):
        await warm(served, line)
        gate = asyncio.Event()
        served.gateway.upstream.faults.append(Fault(gate=gate))
        await line.send(wire(ONE | {"input": "slow"}))
        await asyncio.sleep(0.01)
        await line.send(wire(ONE))
        await asyncio.sleep(0.01)
        gate.set()
        first, second = await line.answer(), await line.answer()
        assert first[1]["Cache-Status"].startswith("gateway; fwd=miss")
        assert second[1]["Cache-Status"] == "gateway; hit"


async def test_a_body_that_does_not_come_is_left_to_the_servers_deadlines() -> None:
    async with talking(generous()) as (served, line):
        await warm(served, line)
        sent = wire(ONE)
        await line.send(sent[:-3])
        await asyncio.sleep(MEANWHILE)
        await line.send(sent[-3:])
        assert (await line.answer())[0] == 200
        assert taken(served) == 2


async def test_a_body_too_large_to_wait_for_is_read_to_its_end_and_not_taken_for_a_call() -> None:
    async with talking(generous()) as (served, line):
        before = await warm(served, line)
        inside = wire(ONE)
        texts = orjson.dumps(ONE | {"input": "x" * 300_000})
        sent = wire(texts[:-2] + b" " * len(inside) + texts[-2:])
        cut = len(sent) - 2 - len(inside)
        await line.send(sent[:cut])
        await asyncio.sleep(0.01)
        await line.send(inside)
        await asyncio.sleep(0.01)
        await line.send(sent[-2:])
        assert (await line.answer())[0] in {200, 422}
        assert taken(served) <= before + 1
        before = taken(served)
        assert (await line.ask(wire(ONE)))[0] == 200
        assert taken(served) == before

"""What is gathered, cut and queued keeps each order's own limits, time and refusals."""

from __future__ import annotations

import pytest
from fakes.clock import settled
from fakes.fan_out import FanOut, numbers
from fakes.replicas import Script, space, vector

from gateway.backends.dialect import CallLimits
from gateway.config.backends import KeyLimits
from gateway.dispatch.batching import Gathering
from gateway.errors import Code


async def test_whoever_comes_in_the_window_of_one_who_went_away_is_sent() -> None:
    town = FanOut("a", batch=True, batch_window=0.1)
    gone = town.ask("gone")
    await town.clock.advance(0.05)
    gone.cancel()
    await settled()
    (found,) = await town.over(town.ask("stays"), step=0.1)
    assert list(found.answers) == [0]
    assert [call.inputs for call in town.replicas.calls] == [["stays"]]
    await town.at_rest()


async def test_a_short_list_over_the_limits_of_a_call_is_cut() -> None:
    town = FanOut("a", batch=True, max_tokens=4)
    (found,) = await town.over(town.ask("a a a", "b b b", "c c"))
    assert [numbers(found.answers[at]) for at in range(3)] == [
        vector(text, space({"model": "m"})) for text in ("a a a", "b b b", "c c")
    ]
    assert [call.inputs for call in town.replicas.calls] == [["a a a"], ["b b b"], ["c c"]]


async def test_limits_that_are_told_late_hold_for_a_kind_that_is_never_over() -> None:
    town = FanOut("a", batch=True)
    await town.over(town.ask("first"))
    kept = town.ask("runs on")
    await town.clock.advance(0.005)
    (gathering,) = town.dispatcher._batcher._kinds.values()
    assert isinstance(gathering, Gathering)
    gathering.limits, gathering.most = CallLimits(inputs=1), 1
    later = [town.ask(f"later {at}") for at in range(5)]
    await town.over(kept, *later)
    assert max(len(call.inputs) for call in town.replicas.calls) > 1


async def test_nobody_is_refused_for_anothers_input() -> None:
    """More bad ones than halving finds: whoever is left goes by itself."""
    town = FanOut("a", batch=True)
    texts = [f"{'bad' if at % 4 == 0 else 'good'} {at}" for at in range(200)]
    found = await town.over(*[town.ask(text) for text in texts])
    for text, one in zip(texts, found, strict=True):
        assert one.failure is None
        assert [error.code for error in one.refused.values()] == [Code.INPUT_INVALID] * text.startswith("bad")
        assert bool(one.answers) is text.startswith("good")
    assert len(town.replicas.calls) < 400


async def test_the_patience_for_a_turn_is_not_the_time_for_the_call() -> None:
    town = FanOut("a", limits=KeyLimits(concurrency=1), batch=False)
    town.replicas.scripts["a"] = Script(seconds=lambda: 5.0)
    first, second = await town.over(town.ask("first"), town.ask("second", queue_timeout=6.0))
    assert (first.failure, second.failure) == (None, None)


@pytest.mark.parametrize("batch", [True, False])
async def test_what_is_late_is_not_sent(batch: bool) -> None:  # noqa: FBT001 - a table's column
    town = FanOut("a", batch=batch)
    (found,) = await town.over(town.ask("late", seconds=0.0))
    assert found.failure.code is Code.SERVICE_TIMEOUT
    assert not town.replicas.calls
    await town.at_rest()

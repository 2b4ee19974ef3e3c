"""Whatever is asked, whatever is cut, gathered, refused and lost: every answer is its input's own, paid for once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from fakes.fan_out import FanOut, numbers
from fakes.replicas import OVERHEAD, Fault, Sent, reset, space, status, unreachable, vector
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.backends import KeyLimits
from gateway.errors import Code, GatewayError
from gateway.ports import RawReply

if TYPE_CHECKING:
    import asyncio

    from gateway.vocabulary import Fresh

GARBAGE = RawReply(200, {}, b'{"data": []}')
FAULTS: list[Fault] = [status(500), status(424), status(429, 1), status(401), reset(), unreachable(), GARBAGE]

words = st.integers(1, 5).map(lambda count: " word" * count)
good = st.builds(lambda name, rest: f"good {name}{rest}", st.integers(0, 30), words)
bad = st.builds(lambda name, rest: f"bad {name}{rest}", st.integers(0, 5), words)


@dataclass(frozen=True)
class Request:
    """What one client asks, and how long before the next one comes."""

    texts: tuple[str, ...]
    model: str
    task: str
    wait: float


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, ...]:
    """Few bad ones, since there is an end to halving."""
    texts = draw(st.lists(good, min_size=1, max_size=25)) + draw(st.lists(bad, max_size=2))
    return tuple(draw(st.permutations(texts)))


requests = st.builds(
    Request, lists(), st.sampled_from("mn"), st.sampled_from(["query", "passage"]), st.sampled_from([0.0, 0.001, 0.03])
)
backends = st.fixed_dictionaries(
    {
        "max_inputs": st.integers(1, 12),
        "max_tokens": st.none() | st.integers(4, 40),
        "batch": st.booleans(),
        "concurrency": st.integers(1, 8),
        "billed": st.booleans(),
        "limits": st.none() | st.just(KeyLimits(concurrency=3)),
    }
)


def faulty(town: FanOut, part: float) -> None:
    for name in "ab":
        town.replicas.scripts[name].always = lambda: (
            FAULTS[int(town.clock.random() * len(FAULTS))] if town.clock.random() < part else None
        )


async def served(town: FanOut, asked: list[Request]) -> list[asyncio.Task[Fresh]]:
    tasks = []
    for request in asked:
        tasks.append(town.fly(*request.texts, model=request.model, task=request.task))
        await town.clock.advance(request.wait)
    await town.over(step=0.05)
    return tasks


@given(st.lists(requests, min_size=1, max_size=12), backends, st.sampled_from([0.0, 0.0, 0.15, 0.4]), st.integers())
@settings(max_examples=120, deadline=None)
async def test_every_answer_is_its_inputs_own_and_paid_for_once(
    asked: list[Request], options: dict[str, Any], part: float, seed: int
) -> None:
    town = FanOut("ab", seed=seed, **options)
    faulty(town, part)
    for request, task in zip(asked, await served(town, asked), strict=True):
        assert_right(request, task, faults=part > 0)
    for call in town.replicas.calls:
        assert_within(call, options)
    assert_paid_once(town)
    await town.at_rest()


def assert_right(request: Request, task: asyncio.Task[Fresh], *, faults: bool) -> None:
    """Each input has its own vector of its own space, or is bad; only where backends fail a request may."""
    error = task.exception()
    if error is not None:
        assert faults
        assert isinstance(error, GatewayError)
        assert error.code in {Code.SERVICE_UNAVAILABLE, Code.SERVICE_TIMEOUT}
        return
    fresh = task.result()
    first = {at for at, text in enumerate(request.texts) if request.texts.index(text) == at}
    assert fresh.refused.keys() == {at for at in first if request.texts[at].startswith("bad")}
    assert fresh.answers.keys() == first - fresh.refused.keys()
    for at, answer in fresh.answers.items():
        assert numbers(answer) == vector(request.texts[at], {"model": request.model, "task": request.task})


def assert_within(call: Sent, options: dict[str, Any]) -> None:
    assert len(call.inputs) <= options["max_inputs"]
    words = sum(len(text.split()) for text in call.inputs)
    assert len(call.inputs) == 1 or options["max_tokens"] is None or words <= options["max_tokens"]


def assert_paid_once(town: FanOut) -> None:
    """No call that was answered held an input of an earlier one; the shares that were kept are all that was counted."""
    answered = town.replicas.answered
    paid = Counter((text, *sorted(space(call.body).items())) for call in answered for text in call.inputs)
    assert not [text for text, times in paid.items() if times > 1]
    assert sum(answer.tokens for _, answer in town.kept) == sum(call.total for call in answered)
    assert len(town.kept) == sum(paid.values())


@pytest.mark.parametrize("batch", [False, True])
async def test_a_call_is_shared_out_by_tokens_to_the_last_one(batch: bool) -> None:  # noqa: FBT001 - a table's column
    town = FanOut("a", batch=batch)
    texts = ["a b c", "incomprehensibilities", "a b"]
    found = await town.over(*([town.ask(text) for text in texts] if batch else [town.ask(*texts)]))
    shares = [answer.tokens for one in found for _, answer in sorted(one.answers.items())]
    assert len(town.replicas.calls) == 1
    assert sum(shares) == OVERHEAD + 6
    assert shares == [5, 1, 3]

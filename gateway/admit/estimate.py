"""C: how many tokens to reserve before anybody has counted them, and what is learnt once a backend has."""

from __future__ import annotations

from dataclasses import field
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from gateway.admit.need import Need, Ruler
from gateway.catalogue.model import Tokenizer
from gateway.tokens.peaks import Peaks
from gateway.turns import turn_over
from gateway.values import value
from gateway.vocabulary import TRAIN

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from gateway.catalogue.model import Model
    from gateway.tokens.counter import Counter
    from gateway.vocabulary import Fresh, Item, Job

RERANK = "rerank"
YARDSTICK = Tokenizer.CL100K
"""Counts the texts of models whose own tokenizer cannot be had."""

_MORE_THAN_TEXT = frozenset({RERANK, TRAIN})
"""Where a unit is read with a query, or several times."""

ENOUGH = 50
"""Calls of a kind before their ratio is believed."""

MARGIN = 1.25
"""What is reserved above the largest ratio seen."""

MOST = 16.0
"""A backend that counts more than a bound is believed up to so many times; what it says above that is a defect."""


@value(frozen=True, slots=True)
class Estimate:
    """Tokens to reserve for units, by position, and how they came about."""

    tokens: Mapping[int, int]
    needs: Mapping[int, Need] = field(default_factory=dict)
    text_kind: Hashable = None
    bound_kind: Hashable = None


NOTHING = Estimate({})


class Lone(NamedTuple):
    """The estimate of one text."""

    tokens: int
    need: Need
    text_kind: Hashable
    bound_kind: Hashable


class Estimator:
    """One for a worker.

    A unit gets the exact count where the model's own tokenizer is at hand. Otherwise it gets a bound that no tokenizer
    exceeds (its bytes), until the backend has counted ENOUGH calls of the same kind (model, endpoint, size and density
    of the text): from then on, where that is less, the yardstick's count times the largest ratio lately times MARGIN.
    A backend that counts more than the bound raises the next reservations of that kind at once.
    """

    def __init__(self, counters: Mapping[Tokenizer, Counter] | None = None) -> None:
        self._counters = counters or {}
        self._ratios = Peaks(ENOUGH)
        self._beyond = Peaks(1)

    async def estimate(self, job: Job, model: Model, positions: Sequence[int]) -> Estimate:
        """For the units of a job at `positions`. Long lists are counted in slices, between which others run."""
        if (at_once := self.at_once(job, model, positions)) is not None:
            return at_once
        items = [item for at in positions for item in job.units[at]]
        query = (job.query or "") if job.endpoint == RERANK else None
        left = iter(await self._ruler(model).measure(items, query))
        await turn_over(len(items))
        needs = {at: _sum([next(left) for _ in job.units[at]]) for at in positions}
        if job.endpoint == TRAIN:
            needs = {at: _often(need, job.iterations) for at, need in needs.items()}
        return self._estimated(needs, *_kinds(job.endpoint, model, list(needs.values()), len(items)))

    def at_once(self, job: Job, model: Model, positions: Sequence[int]) -> Estimate | None:
        """As `estimate` for nothing, or one short text; None for anything else."""
        if not positions:
            return NOTHING
        if len(positions) > 1 or len(job.units[positions[0]]) > 1 or job.endpoint in _MORE_THAN_TEXT:
            return None
        at = positions[0]
        lone = self.of_text(job.endpoint, model, job.units[at][0])
        return None if lone is None else Estimate({at: lone.tokens}, {at: lone.need}, lone.text_kind, lone.bound_kind)

    def of_text(self, endpoint: str, model: Model, item: Item) -> Lone | None:
        """One short text for an endpoint that reads each by itself; None for anything else."""
        need = self._ruler(model).lone(item)
        if need is None:
            return None
        text_kind, bound_kind = _kinds_of_one(endpoint, model, need)
        tokens, beyond, ratio = need.bound, self._beyond.of(bound_kind), self._ratios.of(text_kind)
        if beyond is not None and beyond > 1:
            tokens = _whole(tokens * min(beyond, MOST))
        if ratio is not None and need.counted is not None:
            tokens = min(tokens, _whole(need.counted * ratio * MARGIN))
        return Lone(tokens, need, text_kind, bound_kind)

    def _estimated(self, needs: Mapping[int, Need], text_kind: Hashable, bound_kind: Hashable) -> Estimate:
        factor = min(max(self._beyond.of(bound_kind) or 1.0, 1.0), MOST)
        return Estimate(_reserved(needs, factor, self._ratios.of(text_kind)), needs, text_kind, bound_kind)

    def learn(self, estimate: Estimate, fresh: Fresh) -> int:
        """What had been reserved for the units that were paid for, now that `fresh` tells what the backend counted.

        A call's usage is known as a whole only, so ratios are those of calls.
        """
        if not estimate.tokens:
            return 0
        if len(estimate.tokens) == 1:
            return self._learn_of_one(estimate, fresh)
        paid = [at for at in estimate.tokens if at in fresh.answers and at not in fresh.shared]
        needs = [estimate.needs[at] for at in paid]
        actual = sum(fresh.answers[at].tokens for at in paid)
        bound = sum(need.bound for need in needs)
        if actual and bound and not any(need.media for need in needs):
            self._beyond.observe(estimate.bound_kind, actual / bound)
            counts = [need.counted for need in needs if need.counted is not None]
            if len(counts) == len(needs) and any(counts):
                self._ratios.observe(estimate.text_kind, actual / sum(counts))
        return sum(estimate.tokens[at] for at in paid)

    def _learn_of_one(self, estimate: Estimate, fresh: Fresh) -> int:
        """As `learn`, of one unit."""
        ((at, tokens),) = estimate.tokens.items()
        answer = fresh.answers.get(at)
        if answer is None or at in fresh.shared:
            return 0
        self.learn_of_text(Lone(tokens, estimate.needs[at], estimate.text_kind, estimate.bound_kind), answer.tokens)
        return tokens

    def learn_of_text(self, lone: Lone, tokens: int) -> None:
        """A backend has counted so many."""
        need = lone.need
        if tokens and need.bound and not need.media:
            self._beyond.observe(lone.bound_kind, tokens / need.bound)
            if need.counted:
                self._ratios.observe(lone.text_kind, tokens / need.counted)

    async def classify(self, items: Sequence[Item], labels: Sequence[Item], model: Model) -> int:
        """Zero-shot classification costs the inputs and the labels; few-shot has no labels to pay for."""
        needs = await self._ruler(model).measure([*items, *labels])
        return sum(need.bound for need in needs)

    async def train(self, items: Sequence[Item], num_iters: int, model: Model) -> int:
        """Training costs the inputs once an iteration."""
        return num_iters * sum(need.bound for need in await self._ruler(model).measure(items))

    def _ruler(self, model: Model) -> Ruler:
        own = self._counters.get(model.tokenizer) if model.tokenizer else None
        return Ruler(model, own or self._counters.get(YARDSTICK), exact=own is not None)


def _sum(needs: Sequence[Need]) -> Need:
    if len(needs) == 1:
        return needs[0]
    counts = [need.counted for need in needs if need.counted is not None]
    return Need(
        bound=sum(need.bound for need in needs),
        counted=sum(counts) if len(counts) == len(needs) else None,
        length=sum(need.length for need in needs),
        media=any(need.media for need in needs),
    )


def _often(need: Need, times: int) -> Need:
    """What a backend needs that reads the same so many times."""
    counted = None if need.counted is None else need.counted * times
    return need._replace(bound=need.bound * times, counted=counted, length=need.length * times)


def _kinds(endpoint: str, model: Model, needs: Sequence[Need], items: int) -> tuple[Hashable, Hashable]:
    """What a ratio is learnt for; sizes in powers of two, densities (bytes a token) in powers of its root.

    Marks and prompts weigh more in a short text; prose, Chinese, digits and base64 differ in bytes a token. In a rerank
    call a query may be counted once or once a document, so the length of its list matters.
    """
    several = items.bit_length() if endpoint == RERANK else 0
    bound_kind = (model.name, endpoint, several, (sum(need.bound for need in needs) // items).bit_length())
    counted = [(need.counted, need.length) for need in needs if need.counted]
    if not counted:
        return None, bound_kind
    count, length = (sum(column) for column in zip(*counted, strict=True))
    size, density = (count // items).bit_length(), (length * length // (count * count)).bit_length()
    return (model.name, endpoint, several, size, density), bound_kind


def _kinds_of_one(endpoint: str, model: Model, need: Need) -> tuple[Hashable, Hashable]:
    """As `_kinds`, of one unit of one item."""
    bound_kind = (model.name, endpoint, 0, need.bound.bit_length())
    if not need.counted:
        return None, bound_kind
    density = (need.length * need.length // (need.counted * need.counted)).bit_length()
    return (model.name, endpoint, 0, need.counted.bit_length(), density), bound_kind


def _reserved(needs: Mapping[int, Need], factor: float, ratio: float | None) -> dict[int, int]:
    """Tokens by position: the bounds, or by the ratio, whichever is less for the list: ratios are those of lists."""
    bounds = {at: need.bound for at, need in needs.items()}
    if factor > 1:
        bounds = {at: _whole(bound * factor) for at, bound in bounds.items()}
    if ratio is None:
        return bounds
    scaled = {
        at: bounds[at] if need.counted is None else _whole(need.counted * ratio * MARGIN) for at, need in needs.items()
    }
    return min(bounds, scaled, key=lambda tokens: sum(tokens.values()))


def _whole(tokens: float) -> int:
    """Rounded up, but not for the last digits of a division that came back."""
    return ceil(round(tokens, 6))

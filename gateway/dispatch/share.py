"""P: a worker's share of an upstream key's limits, from what the worker itself drew: enough while the store is away."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gateway.vocabulary import Limits

WINDOW_SECONDS = 60.0
SLOT_SECONDS = 0.1


@dataclass(eq=False, slots=True)
class Draw:
    """One call: when it counts from (monotonic seconds), its calls (0 or 1) and tokens."""

    at: float
    requests: int
    tokens: int


def share(limits: Limits, workers: int) -> Limits:
    """An equal part of each limit, rounded down but never to nothing."""
    parts = (limits.requests, limits.tokens, limits.concurrency)
    return Limits(*(None if limit is None else max(1, limit // workers) for limit in parts))


class OwnDraws:
    """What one worker drew of one key within a minute, call by call."""

    def __init__(self) -> None:
        self._log: deque[Draw] = deque()

    def draw(self, now: float, tokens: int) -> Draw:
        """Count a call from now on."""
        while self._log and self._log[0].at <= now - WINDOW_SECONDS:
            self._log.popleft()
        draw = Draw(now, 1, tokens)
        self._log.append(draw)
        return draw

    @staticmethod
    def settle(draw: Draw, now: float, requests: int, tokens: int) -> None:
        """A call ended: as in the store, what it used counts from now."""
        draw.at, draw.requests, draw.tokens = now, requests, tokens

    def wait(self, now: float, tokens: int, limits: Limits, running: int) -> float:
        """Seconds until a call of `tokens` may fit beside `running` others; 0 when it does now."""
        if limits.concurrency is not None and running >= limits.concurrency:
            return SLOT_SECONDS
        recent = sorted(
            ((draw.at, draw.requests, draw.tokens) for draw in self._log if draw.at > now - WINDOW_SECONDS),
        )
        asked = tokens if limits.tokens is None else min(tokens, limits.tokens)
        requests = _room(now, [(at, amount) for at, amount, _ in recent], 1, limits.requests)
        return max(requests, _room(now, [(at, amount) for at, _, amount in recent], asked, limits.tokens))


def _room(now: float, amounts: list[tuple[float, int]], amount: int, limit: int | None) -> float:
    excess = 0 if limit is None else sum(used for _, used in amounts) + amount - limit
    wait = 0.0
    for at, used in amounts:
        if excess <= 0:
            break
        excess -= used
        wait = at + WINDOW_SECONDS - now
    return wait

"""P: what the last minutes were like, from amounts by slot of time: rates, shares, latencies, by whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gateway.ports.live import SLOT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Slots = Mapping[int, Mapping[str, int]]

UNDER = "under:"
"""Before a bound in seconds: how many requests took at most so long."""

TENANT = "t:"
"""Before a tenant's name: the tokens reported to it."""

_NANO = 1e-9
_P50, _P99 = 0.5, 0.99


@dataclass(frozen=True, slots=True)
class Recent:
    """A stretch of time that ends at `until` (seconds since 1970); all but the last four are by the second.

    `refused` are answers with a 4xx status, `failed` those with a 5xx. `hit_share` is the part of the inputs that were
    had for nothing; None, like the latencies (seconds), where nothing was asked.
    """

    until: int
    requests: float
    refused: float
    failed: float
    tokens: float
    paid: float
    saved: float
    saved_usd: float
    upstream: float
    hit_share: float | None
    p50: float | None
    p99: float | None

    def figures(self) -> dict[str, float | None]:
        """With names, for programs."""
        return asdict(self)


def slot_of(epoch: int) -> int:
    """The slot around a moment, in seconds since 1970."""
    return epoch // SLOT_SECONDS


def stretch(slots: Slots, first: int, until: int) -> Recent:
    """The slots from `first` up to, not including, `until` together."""
    sums = _sum(slots, range(first, until))
    seconds = (until - first) * SLOT_SECONDS

    def rate(name: str) -> float:
        return sums[name] / seconds

    return Recent(
        until=until * SLOT_SECONDS,
        requests=rate("requests"),
        refused=rate("refused"),
        failed=rate("failed"),
        tokens=rate("tokens"),
        paid=rate("paid"),
        saved=rate("saved"),
        saved_usd=rate("saved_nanos") * _NANO,
        upstream=rate("calls"),
        hit_share=sums["hits"] / sums["units"] if sums["units"] else None,
        p50=_quantile(sums, _P50),
        p99=_quantile(sums, _P99),
    )


def series(slots: Slots, until: int, count: int, wide: int) -> list[Recent]:
    """`count` stretches of `wide` slots each, the last of which ends before slot `until`."""
    first = until - count * wide
    return [stretch(slots, start, start + wide) for start in range(first, until, wide)]


def busiest(slots: Slots, first: int, until: int, count: int) -> list[tuple[str, float]]:
    """The tenants with the most tokens a second, and how many."""
    sums = _sum(slots, range(first, until))
    seconds = (until - first) * SLOT_SECONDS
    tenants = {name.removeprefix(TENANT): amount for name, amount in sums.items() if name.startswith(TENANT)}
    most = sorted(tenants.items(), key=lambda entry: (-entry[1], entry[0]))[:count]
    return [(name, tokens / seconds) for name, tokens in most]


def _sum(slots: Slots, numbers: Iterable[int]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for number in numbers:
        sums.update(slots.get(number, {}))
    return sums


def _quantile(sums: Mapping[str, int], share: float) -> float | None:
    """As Prometheus' histogram_quantile: within a bucket, latencies lie evenly; beyond the last, at its bound."""
    found = {float(name.removeprefix(UNDER)): count for name, count in sums.items() if name.startswith(UNDER)}
    buckets = sorted(found.items())
    if not buckets or not buckets[-1][1]:
        return None
    rank, before, below = share * buckets[-1][1], 0, 0.0
    for bound, count in buckets:
        if count >= rank:
            if bound == float("inf"):
                break
            return below + (bound - below) * (rank - before) / max(1, count - before)
        before, below = count, bound
    return below

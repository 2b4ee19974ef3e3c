"""P: rows of the ledger as people and programs read them: grouped, named, summed."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.vocabulary import SECONDS_PER_HOUR, Account, Tally, dollars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FIELDS = ("requests", "tokens", "upstream_tokens", "cost_usd", "saved_tokens", "saved_usd")
"""What `figures` names, in the order of a Tally."""


class By(StrEnum):
    """What rows are grouped by."""

    MODEL = "model"
    KEY = "key"
    HOUR = "hour"
    DAY = "day"
    TENANT = "tenant"


def hours(since: int, until: int) -> tuple[int, int]:
    """The whole hours that hold a stretch of time, given in seconds since 1970: first, and one after the last."""
    return since // SECONDS_PER_HOUR, -(-until // SECONDS_PER_HOUR)


def moment_of(hour: int) -> str:
    """Where an hour begins, in UTC."""
    return datetime.fromtimestamp(hour * SECONDS_PER_HOUR, UTC).strftime("%Y-%m-%dT%H:00:00Z")


def grouped(rows: Iterable[tuple[Account, Tally]], by: By) -> dict[str, Tally]:
    """Sums by name, in the order of the names."""
    name = _NAMES[by]
    sums: dict[str, Tally] = defaultdict(Tally)
    for account, tally in rows:
        key = name(account)
        sums[key] = sums[key].plus(tally)
    return dict(sorted(sums.items()))


def figures(tally: Tally) -> dict[str, int | str]:
    """A tally with names; dollars as exact decimal text, like prices."""
    return {
        "requests": tally.requests,
        "tokens": tally.tokens,
        "upstream_tokens": tally.upstream_tokens,
        "cost_usd": dollars(tally.nanos),
        "saved_tokens": tally.saved_tokens,
        "saved_usd": dollars(tally.saved_nanos),
    }


_NAMES: Mapping[By, Callable[[Account], str]] = {
    By.MODEL: lambda account: account.model,
    By.KEY: lambda account: account.key_id,
    By.HOUR: lambda account: moment_of(account.hour),
    By.DAY: lambda account: moment_of(account.hour)[:10],
    By.TENANT: lambda account: account.tenant,
}

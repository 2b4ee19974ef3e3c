"""P: shares of a budget or a balance that were used, and what is said about each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson

from gateway.admit.budget import BALANCE, crossed
from gateway.ports import Notice
from gateway.vocabulary import dollars
from gateway.vocabulary.when import shown

if TYPE_CHECKING:
    from gateway.admit.budget import Meter
    from gateway.config.webhooks import Event

ALL = Decimal(1)
_ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Occasion:
    """A tenant has used `share` of a meter's limit, or more: `used` is in the meter's unit."""

    tenant: str
    meter: Meter
    used: int
    share: Decimal

    @property
    def event(self) -> Event:
        """Its type, as configurations and receivers know it."""
        if self.meter.name == BALANCE:
            return "balance.spent" if self.share == ALL else "balance.threshold"
        return "budget.spent" if self.share == ALL else "budget.threshold"

    @property
    def share_text(self) -> str:
        """The share as a plain decimal number."""
        return f"{self.share.normalize():f}"

    @property
    def claim(self) -> str:
        """The same for whoever notices it. A limit that was raised, or a balance topped up, is another occasion."""
        meter = self.meter
        return f"{self.tenant} {meter.name} {meter.start} {meter.unit} {meter.limit} {self.share_text}"


def reached(tenant: str, meter: Meter, used: int) -> list[Occasion]:
    """Every soft share of a meter that was reached, and all of it (share 1) if it was; smallest first."""
    every = replace(meter, soft=tuple({*meter.soft, ALL}))
    return [Occasion(tenant, meter, used, share) for share in crossed(0, used, every)]


def notice(occasion: Occasion, address: str, now: int) -> Notice:
    """What an address is told. The id depends on nothing but the occasion and the address."""
    digest = hashlib.sha256(f"{occasion.claim} {address}".encode()).hexdigest()
    return Notice(f"msg_{digest[:_ID_DIGITS]}", address, _body(occasion, now).decode())


def _body(occasion: Occasion, now: int) -> bytes:
    meter = occasion.meter
    in_tokens = meter.unit == "tokens"
    return orjson.dumps(
        {
            "type": occasion.event,
            "timestamp": shown(now),
            "data": {
                "tenant": occasion.tenant,
                "meter": meter.name,
                "period_start": None if meter.end is None else shown(meter.start),
                "unit": "tokens" if in_tokens else "usd",
                "limit": meter.limit if in_tokens else dollars(meter.limit),
                "used": occasion.used if in_tokens else dollars(occasion.used),
                "share": float(occasion.share),
            },
        }
    )

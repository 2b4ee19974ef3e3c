"""P: what a tenant may spend: budgets by period, and a balance that is used up."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from gateway.config.section import Price, Section

Share = Annotated[Decimal, Field(gt=0, le=1, max_digits=9)]


class Budget(Section):
    """A tenant's most spending in a period (UTC)."""

    usd: Price = Field(description="US dollars that may be spent in the period")
    per: Literal["day", "month", "fixed"] = Field("month", description="day, month or fixed: once and for all")
    soft: tuple[Share, ...] = Field((), description="shares of it, such as 0.8, at which to warn")
    hard: bool = Field(default=True, description="whether requests are refused once it is spent")


class Balance(Section):
    """Tokens or dollars that a tenant has until they are used up; `gateway balance top-up` adds to it."""

    starting_tokens: Annotated[int, Field(ge=0)] | None = Field(
        None, description="tokens to begin with, as counted upstream"
    )
    starting_usd: Price | None = Field(None, description="US dollars to begin with, in place of tokens")
    soft: tuple[Share, ...] = Field((), description="shares of it, such as 0.8, at which to warn when used")

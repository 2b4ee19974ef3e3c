"""P: addresses of the operator's own that are told when money runs low: where, signed with what, about which events."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from gateway.config.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.problem import Origin, Problem

Event: TypeAlias = Literal["budget.threshold", "budget.spent", "balance.threshold", "balance.spent"]

SECRET_BYTES = 24
"""The least that Standard Webhooks takes for a secret."""

_ENCODED = "whsec_"
_ID_DIGITS = 12


class Webhook(Section):
    """An address that is told when a tenant's budget or balance crosses a share or is used up; see docs/money.md."""

    url: str = Field(repr=False, description="http:// or https:// address that notices are posted to")
    secret: Annotated[str, StringConstraints(min_length=SECRET_BYTES)] = Field(
        repr=False,
        description="what notices are signed with, as Standard Webhooks does: text of 24 bytes or more, or `whsec_` "
        "and base64 of as many; best as ${ENV}",
    )
    events: tuple[Event, ...] = Field(
        ("budget.threshold", "budget.spent", "balance.threshold", "balance.spent"),
        description="what it is told: a share of `soft` is used, or all is, of a budget or a balance",
    )

    @property
    def id(self) -> str:
        """Names the address in the store, without what may be secret in it."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:_ID_DIGITS]

    @property
    def key(self) -> bytes:
        """What signs. Raises ValueError: what follows `whsec_` is not base64."""
        if not self.secret.startswith(_ENCODED):
            return self.secret.encode()
        try:
            return base64.b64decode(self.secret.removeprefix(_ENCODED), validate=True)
        except binascii.Error:
            raise ValueError("not base64") from None


def check_webhooks(webhooks: tuple[Webhook, ...], usable: tuple[bool, ...], origin: Origin) -> Iterator[Problem]:
    """What is wrong with them; `usable` says of each whether its url is an address."""
    known: dict[str, int] = {}
    for position, (webhook, fine) in enumerate(zip(webhooks, usable, strict=True)):
        path = ("webhooks", position)
        if not fine:
            yield origin.problem((*path, "url"), "not an address", "write http(s)://host[:port]/path")
        first = known.setdefault(webhook.url, position)
        if first != position:
            remedy = "list the events of both in one entry"
            yield origin.problem((*path, "url"), f"the same address as webhooks.{first}", remedy)
        if not _enough(webhook):
            remedy = f"write `whsec_` and base64 of {SECRET_BYTES} bytes or more, or plain text of that length"
            yield origin.problem((*path, "secret"), "not base64 of enough bytes", remedy)


def _enough(webhook: Webhook) -> bool:
    try:
        return len(webhook.key) >= SECRET_BYTES
    except ValueError:
        return False

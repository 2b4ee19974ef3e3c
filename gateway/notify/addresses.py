"""P: where notices go and what signs them: the operator's own addresses, those that clients named for jobs."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from gateway.notify.delivery import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.schema import Config
    from gateway.ports import Notice, Observer

AT_ONCE = 8
"""Notices one worker delivers side by side: one address that hangs holds up few others."""

JOBS_AT_ONCE = 32
"""The same of clients' addresses, which are many, and some of them slow."""

_PURPOSE = b"gw-job-webhook"
_ENCODED = "whsec_"


@dataclass(frozen=True, slots=True)
class Destination:
    """An address and the key that what goes there is signed with."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)


class Addresses(Protocol):
    """Knows the way for the notices of one store; `at_once` are delivered side by side by a worker."""

    at_once: int

    def any(self) -> bool:
        """Whether there may be something to send; asked before each look at the store."""
        ...

    def find(self, notice: Notice) -> Destination | Verdict:
        """Where it goes, or what follows from there being no such place now."""
        ...

    def gone(self, notice: Notice) -> None:
        """Its address has answered that nobody will ever want anything there."""
        ...

    def tell(self, observer: Observer, outcome: str) -> None:
        """Count what became of a try: `delivered`, `retried`, `dead`."""
        ...


class OperatorAddresses:
    """The configuration's webhooks. One that answered 410 is sent nothing more until the configuration is another.

    An address that this gateway's configuration does not know counts as failing: another gateway may know it.
    """

    at_once = AT_ONCE

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._known: Config | None = None
        self._found: dict[str, Destination] = {}
        self._gone: set[str] = set()

    def any(self) -> bool:
        """As Addresses.any."""
        config = self._config()
        if config is not self._known:
            self._known = config
            self._gone.clear()
            self._found = {webhook.id: Destination(webhook.url, webhook.key) for webhook in config.webhooks}
        return bool(self._found)

    def find(self, notice: Notice) -> Destination | Verdict:
        """As Addresses.find."""
        self.any()
        if notice.address in self._gone:
            return Verdict.GONE
        return self._found.get(notice.address, Verdict.FAILED)

    def gone(self, notice: Notice) -> None:
        """As Addresses.gone."""
        self._gone.add(notice.address)

    def tell(self, observer: Observer, outcome: str) -> None:
        """As Addresses.tell."""
        observer.notice(outcome)


class ClientAddresses:
    """Addresses that are in the notices themselves, signed with the key of their tenant."""

    at_once = JOBS_AT_ONCE

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def any(self) -> bool:
        """Always: another worker may have posted something."""
        return True

    def find(self, notice: Notice) -> Destination | Verdict:
        """As Addresses.find."""
        return Destination(notice.address, tenant_key(notice.tenant, self._secret))

    def gone(self, notice: Notice) -> None:
        """Nothing is remembered: the next job may name the address again, and its owner may have changed their mind."""

    def tell(self, observer: Observer, outcome: str) -> None:
        """As Addresses.tell."""
        observer.job_notice(outcome)


def tenant_key(tenant: str, secret: bytes) -> bytes:
    """What signs notices for a tenant: 32 bytes that say nothing of the gateway's secret or another tenant's key."""
    return blake2b(tenant.encode(), digest_size=32, key=secret[:64], person=_PURPOSE).digest()


def shown_key(key: bytes) -> str:
    """The key as libraries of Standard Webhooks take it."""
    return _ENCODED + base64.b64encode(key).decode()

"""P: requests that need the store before they are jobs: what is to be done around a job, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from gateway.catalogue.model import Model
    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.schemas import Items
    from gateway.vocabulary import Answer, Caller, Job


@dataclass(frozen=True, slots=True)
class FewShot:
    """Inputs for a trained classifier."""

    classifier_id: str
    items: Items
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Creation:
    """Examples for a new classifier: items, and the label of each."""

    model: Model
    items: Items
    labels: tuple[str, ...]
    iterations: int
    access: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """Further examples for a classifier, which may have new labels."""

    classifier_id: str
    items: Items
    labels: tuple[str, ...]
    iterations: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """A job, and what is to be kept once it is answered.

    `endpoint` is the name under which it is limited and counted. `commit` keeps what follows from the answers, before
    anything is charged, and may raise GatewayError. `divisible`: an answer without the inputs that the backend refuses
    is worth having.
    """

    endpoint: str
    job: Job
    commit: Callable[[Sequence[Answer]], Awaitable[None]]
    divisible: bool = False


class Transactions(Protocol):
    """Begins them."""

    def begin(
        self, pending: FewShot | Creation | Update, snapshot: Snapshot, caller: Caller
    ) -> AbstractAsyncContextManager[Transaction]:
        """The transaction of a request; what it holds, like a lock, is given back at the end of the block.

        Entering raises GatewayError: RESOURCE_NOT_FOUND, CONFLICT_RESOURCE_BUSY, AUTHZ_RESOURCE_LIMIT_EXCEEDED and what
        else stands in its way.
        """
        ...

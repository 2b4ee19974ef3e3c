"""C: forgets a classifier, and has the backend forget it first that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dispatch.order import Order
from gateway.endpoints.classifiers import removal_job
from gateway.errors import Code, service_unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.snapshot import Snapshot
    from gateway.dispatch.dispatcher import Dispatcher
    from gateway.ports import Classifier
    from gateway.training.shelf import Shelf
    from gateway.vocabulary import Answer, Call, Caller


async def remove(  # noqa: PLR0913 - who asks, for what, and by whom it is done
    classifier: Classifier, snapshot: Snapshot, caller: Caller, call: Call, *, shelf: Shelf, dispatcher: Dispatcher
) -> None:
    """Forget a classifier that the caller owns.

    Raises:
        GatewayError: CONFLICT_RESOURCE_BUSY while it is trained, SERVICE_*.
    """
    async with shelf.locked(classifier):
        if classifier.backend:
            await _remove_there(classifier, snapshot, caller, call, dispatcher)
        with shelf.needed():
            await shelf.store.remove(classifier)


async def _remove_there(
    classifier: Classifier, snapshot: Snapshot, caller: Caller, call: Call, dispatcher: Dispatcher
) -> None:
    """A backend that has it no more, or that does not know the model any more, is no reason to keep our record."""
    served = snapshot.served.get(classifier.model)
    if served is None or all(route.backend != classifier.backend for route in served.routes):
        return

    async def arrived(_: Mapping[int, Answer]) -> None:
        """Nothing to keep."""

    order = Order(
        snapshot,
        served.only(classifier.backend),
        removal_job(classifier, served.model),
        caller,
        call.deadline,
        lambda _: 0,
        arrived,
        passed=caller.credential,
        timeout=call.timeout,
    )
    found = await dispatcher.run(order, (0,))
    failure = found.failure or next(iter(found.refused.values()), None)
    if failure is not None and failure.code is not Code.RESOURCE_NOT_FOUND:
        raise failure if failure.retryable else service_unavailable("The backend did not remove the classifier")

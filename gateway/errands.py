"""C: what is missing of a plan as an errand: how a backend is asked for it, and how what comes is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.dispatch.in_flight import Errand
from gateway.dispatch.order import Order
from gateway.errors import service_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.dispatch.dispatcher import Dispatcher
    from gateway.dispatch.order import Found
    from gateway.plan.planner import Planner
    from gateway.plan.work import Work
    from gateway.vocabulary import Answer, Plan, RequestTrace


class Errands:
    """One for a worker."""

    def __init__(self, planner: Planner, dispatcher: Dispatcher) -> None:
        self._planner = planner
        self._dispatcher = dispatcher

    def of(
        self,
        work: Work,
        plan: Plan,
        tokens: Mapping[int, int],
        departs: Callable[[], None],
        trace: RequestTrace | None = None,
    ) -> Errand:
        """For what is missing of the plan of `work`; `tokens` is what each position costs at most.

        `departs` is called when a backend is asked; `trace` is told of it, too.
        """
        call = work.call

        async def arrived(fresh: Mapping[int, Answer]) -> None:
            await self._planner.remember(work.inquiry, plan, fresh)

        def asked(positions: Sequence[int]) -> int:
            return sum([tokens[at] for at in positions])

        async def fill(positions: Sequence[int], sent: Callable[[], None]) -> Found:
            def departed() -> None:
                departs()
                sent()

            order = Order(
                work.snapshot,
                work.served,
                work.job,
                work.caller,
                call.deadline,
                asked,
                arrived,
                lane=call.lane,
                passed=work.caller.credential,
                timeout=call.timeout,
                sent=departed,
                trace=trace,
            )
            return await self._dispatcher.run(order, positions)

        return Errand(plan, call.deadline, service_timeout(call.timeout), fill)

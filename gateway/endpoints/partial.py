"""P: a reply that leaves out what the backend refused and says so: our own, on `x-gateway-partial: allow`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from gateway.endpoints.rerank import RerankPresentation
from gateway.vocabulary import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.endpoints.endpoint import Endpoint
    from gateway.errors import GatewayError
    from gateway.vocabulary import Answer, Job


def assemble_partial(
    endpoint: Endpoint, job: Job, answers: Sequence[Answer], places: Sequence[int], refused: Mapping[int, GatewayError]
) -> bytes:
    """The body for answers to the units at `places` of the client's list, and an `errors` list of those refused.

    Every `index` is that of the client's list; sparse vectors have none, and stand in its order. `errors` has
    `{index, message, code}`, in order.
    """
    shown = job.presentation
    if isinstance(shown, RerankPresentation) and shown.documents is not None:
        shown = replace(shown, documents=[shown.documents[place] for place in places])
    reduced = replace(job, units=tuple(job.units[place] for place in places), presentation=shown)
    reply = orjson.loads(endpoint.assemble(reduced, answers))
    for entry in reply.get("data") or reply.get("results") or []:
        if job.shape is not Shape.SPARSE:
            entry["index"] = places[entry["index"]]
    reply["errors"] = [
        {"index": place, "message": error.message, "code": error.code.value} for place, error in sorted(refused.items())
    ]
    return orjson.dumps(reply)

"""P: how many labels a plan lets one classification choose between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import label_limit_exceeded

if TYPE_CHECKING:
    from gateway.vocabulary import Caller, Job


def check_labels(job: Job, caller: Caller) -> None:
    """Let a job pass whose largest set of labels is within its caller's plan.

    Raises:
        GatewayError: INPUT_LABEL_LIMIT_EXCEEDED.
    """
    most = max(job.labels, default=0)
    if most > caller.labels:
        raise label_limit_exceeded(most, caller.labels)

"""P: answers that follow exactly from others: a normalised vector from the unnormalised one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.endpoints.vectors import matrix, normalise
from gateway.vocabulary import Shape

if TYPE_CHECKING:
    from gateway.vocabulary import Answer, Job

_DECIDING = frozenset({"normalized", "dimensions"})


def source(job: Job) -> Job | None:
    """The job whose answers give this job's, None where there is none.

    Absent `normalized` means true (endpoints.parameters). The converse is never derived: a length that was divided out
    is lost. `dimensions` among the parameters is a length that only the backend can make; whether it cuts before or
    after it normalises is then not ours to guess.
    """
    if job.shape is not Shape.DENSE or any(name in _DECIDING for name, _ in job.parameters):
        return None
    return replace(job, parameters=tuple(sorted((*job.parameters, ("normalized", False)))))


def is_source(job: Job) -> bool:
    """Whether other jobs' answers follow from this one's."""
    return job.shape is Shape.DENSE and ("normalized", False) in job.parameters


def derive(answer: Answer) -> Answer:
    """The answer to a job, given that to its `source`: each row has unit length; it cost the same and is as old."""
    return replace(answer, payload=normalise(matrix(answer.payload, answer.width)).tobytes())

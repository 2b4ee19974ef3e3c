"""P: what an endpoint is to the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.embeddings import Embeddings
    from gateway.endpoints.front import ErrorShape
    from gateway.endpoints.transaction import Creation, FewShot, Update
    from gateway.vocabulary import Answer, Job


class Endpoint(Protocol):
    """One wire contract."""

    @property
    def name(self) -> str:
        """Metric label, path segment and `Job.endpoint`."""
        ...

    def validate(self, body: bytes, snapshot: Snapshot) -> Job | FewShot | Creation | Update:
        """The request in a body: a job, or what becomes one when the store is asked (transaction.Transactions).

        Raises:
            GatewayError: INPUT_INVALID with field errors, or INPUT_MODEL_NOT_FOUND.
        """
        ...

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; `answers` holds one answer for each of the job's units, in order."""
        ...

    def stream(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None] | None:
        """The same bytes in pieces that are made while they are sent, where they are many; None: `assemble` it.

        No piece takes longer to make than others on the event loop may wait, some milliseconds.
        """
        ...


class FrontEndpoint(Endpoint, Protocol):
    """A route of another dialect in front of an endpoint of ours, whose name it has; made for one request."""

    def __init__(self, request_id: str, embeddings: Embeddings) -> None: ...

    def validate(self, body: bytes, snapshot: Snapshot) -> Job:
        """As Endpoint.validate; none of these needs the store first."""
        ...

    @property
    def errors(self) -> ErrorShape | None:
        """Whose clients read its failures; None: ours."""
        ...

"""P: the section `jobs`: where files of batch jobs are kept, and which object storage clients may name as input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from gateway.config.addresses import is_address
from gateway.config.job_bounds import JobBounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.problem import Origin, Problem

_SCHEMES = ("s3://", "gs://")
_NO_PLACE = frozenset(" \t\r\n?#*[]\\")


class Jobs(JobBounds):
    """Batch jobs: how large, how worked off, where their files are, and which object storage clients may name."""

    files: str | None = Field(
        None,
        description="`s3://bucket/prefix` or `gs://bucket/prefix` for input and output of jobs; by default below "
        "server.data_dir, which is right for one machine only",
    )
    inputs: tuple[str, ...] = Field(
        (),
        description="places in object storage that clients may name as input, read with the gateway's credentials: "
        "`[s3://bucket/in/]`, each ending in a slash; by default none",
    )
    s3_endpoint: str | None = Field(
        None, repr=False, description="http(s) address of storage that speaks S3; by default Amazon's"
    )
    gcs_endpoint: str | None = Field(
        None, repr=False, description="http(s) address of storage that speaks the GCS API; by default Google's"
    )

    @property
    def files_place(self) -> str | None:
        """`files`, ending in a slash, as `inputs` do."""
        return None if self.files is None else self.files.rstrip("/") + "/"

    @property
    def schemes(self) -> frozenset[str]:
        """Of all object storage that is used: `s3`, `gs`."""
        places = (self.files, *self.inputs)
        return frozenset(place.partition("://")[0] for place in places if place is not None)

    def endpoint(self, scheme: str) -> str | None:
        """Where the storage of a scheme is, if not at its maker's."""
        return self.s3_endpoint if scheme == "s3" else self.gcs_endpoint


def check_jobs(jobs: Jobs, origin: Origin) -> Iterator[Problem]:
    """What is wrong with the section."""
    files = jobs.files_place
    if files is not None and not is_place(files):
        remedy = "write s3://bucket/prefix or gs://bucket/prefix, or leave it out for the local disk"
        yield origin.problem(("jobs", "files"), "no place in object storage", remedy)
    for position, place in enumerate(jobs.inputs):
        here = ("jobs", "inputs", position)
        if not is_place(place):
            remedy = "write s3://bucket/ or gs://bucket/prefix/, with a slash at its end"
            yield origin.problem(here, "no place in object storage", remedy)
        elif files is not None and (files.startswith(place) or place.startswith(files)):
            remedy = "name another bucket or prefix: clients could read each other's jobs"
            yield origin.problem(here, "overlaps with jobs.files", remedy)
    for name, endpoint in (("s3_endpoint", jobs.s3_endpoint), ("gcs_endpoint", jobs.gcs_endpoint)):
        if endpoint is not None and not is_address(endpoint, ("http", "https")):
            yield origin.problem(("jobs", name), "not an address", "write http(s)://host[:port]")


def is_place(text: str) -> bool:
    """Whether it names a bucket, or what begins so in it, up to a slash: `s3://bucket/`, `gs://bucket/in/`."""
    if not text.startswith(_SCHEMES) or not text.endswith("/") or not _NO_PLACE.isdisjoint(text):
        return False
    return {"", ".", ".."}.isdisjoint(text[len(_SCHEMES[0]) : -1].split("/"))

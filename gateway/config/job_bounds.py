"""P: the part of the section `jobs` that says how large batch jobs may be and how they are worked off."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.config.section import Positive, Section


class JobBounds(Section):
    """How large batch jobs may be, how they are worked off, and how long they are kept."""

    max_inline: Positive = Field(10_000, description="lines that a job may bring in its request")
    max_inputs: Positive = Field(50_000, description="lines that a job may bring by URL")
    max_open: Positive = Field(100, description="jobs that a tenant may have that have not ended")
    chunk: Annotated[int, Field(ge=1, le=512)] = Field(64, description="lines of a job that are one call")
    concurrency: Positive = Field(
        2, description="calls of one job at once, by all workers together; they count in its tenant's limits"
    )
    slots: Annotated[int, Field(ge=0, le=100)] = Field(
        4, description="calls of all jobs that one worker makes at once; 0: this gateway takes jobs but works off none"
    )
    lease_seconds: Annotated[int, Field(ge=3, le=300)] = Field(
        15, description="what a crashed worker was at work on is taken up by another after this long"
    )
    retain_seconds: Positive = Field(
        86_400, description="seconds after its creation that a job expires, ended or not, and its files are deleted"
    )
    public_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?$")] | None = Field(
        None,
        description="what clients reach this gateway under, as https://api.example; begins the URLs of outputs. By "
        "default the address that the client used, and nothing in webhooks",
    )

"""P: the section `fetch`: where URLs that clients send may lead."""

from __future__ import annotations

from pydantic import Field, IPvAnyNetwork

from gateway.config.section import Section


class Fetching(Section):
    """How what clients name by URL is got, and where they are told by one."""

    networks: tuple[IPvAnyNetwork, ...] = Field(
        (),
        description="private networks that clients' URLs may lead to, as 10.1.0.0/16; by default public addresses only",
    )

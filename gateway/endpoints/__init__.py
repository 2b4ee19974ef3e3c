"""P: the wire contracts, one module an endpoint: a body's bytes to a Job, a Job's answers to a body's bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.endpoints.classify import Classify
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.rerank import Rerank

if TYPE_CHECKING:
    from gateway.endpoints.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (Embeddings(), Rerank(), Classify())
"""Every endpoint whose requests take the whole pipeline; a new one is a module and an entry here."""

"""P: the wire contracts, one module an endpoint: a body's bytes to a Job, a Job's answers to a body's bytes."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.endpoints.classify import Classify
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.front_cohere import CohereEmbed, CohereEmbedV1, CohereRerank, CohereRerankV1
from gateway.endpoints.front_multi_vector import MultiVector
from gateway.endpoints.front_tei import TeiEmbed, TeiRerank
from gateway.endpoints.rerank import Rerank
from gateway.endpoints.train import Train
from gateway.tokens.ids import id_vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.endpoints.endpoint import Endpoint, FrontEndpoint

_EMBEDDINGS = Embeddings(id_vocabulary)

ENDPOINTS: tuple[Endpoint, ...] = (_EMBEDDINGS, Rerank(), Classify(), Train())
"""Every endpoint whose requests take the whole pipeline; a new one is a module and an entry here."""

FRONTS: Mapping[str, type[FrontEndpoint]] = MappingProxyType(
    {
        "/v1/embed": CohereEmbedV1,
        "/v2/embed": CohereEmbed,
        "/v2/rerank": CohereRerank,
        "/embed": TeiEmbed,
        "/rerank": TeiRerank,
        "/v1/multi-vector": MultiVector,
    }
)
"""Routes of other dialects in front of these endpoints, by path."""


def front(path: str, request_id: str, sdk: str = "") -> FrontEndpoint | None:
    """The route of another dialect that a request is for; `sdk` is what the client calls itself (X-Fern-SDK-Name).

    Cohere's clients and Jina's call /v1/rerank alike, so that the former are known by their name alone.
    """
    made = CohereRerankV1 if path == "/v1/rerank" and sdk.startswith("cohere") else FRONTS.get(path)
    return None if made is None else made(request_id, _EMBEDDINGS)

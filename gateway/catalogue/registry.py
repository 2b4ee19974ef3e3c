"""P: all models that are known without configuration, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.catalogue import chat, embeddings, rerankers
from gateway.catalogue.local import LOCAL_MODEL, LOCAL_MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalogue.model import Model

__all__ = ["CATALOGUE", "LOCAL_MODEL", "LOCAL_MODELS"]

CATALOGUE: Mapping[str, Model] = MappingProxyType(
    {model.name: model for model in (*embeddings.MODELS, *rerankers.MODELS, *chat.MODELS)}
)
"""Models of the Jina API by bare name; one that serves both endpoints is one entry."""

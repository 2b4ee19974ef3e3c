"""P: the dialects that backends speak, and which answers can be had in each."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from gateway.vocabulary import Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

DialectName: TypeAlias = Literal["jina", "tei", "openai", "azure", "vllm", "infinity", "ollama", "cohere", "llamacpp"]


@dataclass(frozen=True, slots=True)
class Ability:
    """The shapes of answers that a dialect can ask for, what it can send to embed, whether it chats."""

    shapes: frozenset[Shape]
    modalities: frozenset[Modality] = frozenset({Modality.TEXT})
    chat: bool = False


_EMBEDDINGS = frozenset({Shape.DENSE})
_BOTH = frozenset({Shape.DENSE, Shape.SCORE})

ABILITIES: Mapping[DialectName, Ability] = MappingProxyType(
    {
        "jina": Ability(frozenset(Shape) - {Shape.LABELS}, frozenset(Modality), chat=True),
        "tei": Ability(_BOTH | {Shape.SPARSE, Shape.MULTI, Shape.LABELS}),
        "openai": Ability(_EMBEDDINGS, chat=True),
        "azure": Ability(_EMBEDDINGS),
        "vllm": Ability(_BOTH, chat=True),
        "infinity": Ability(_BOTH | {Shape.LABELS}, frozenset({Modality.TEXT, Modality.IMAGE, Modality.AUDIO})),
        "ollama": Ability(_EMBEDDINGS, chat=True),
        "cohere": Ability(_BOTH),
        "llamacpp": Ability(_BOTH, chat=True),
    }
)

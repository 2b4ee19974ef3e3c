"""P: dialects of backends, bytes to bytes; a new one is a file here, a line in DIALECTS, one in config.dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backends.azure import Azure
from gateway.backends.cohere import Cohere
from gateway.backends.infinity import Infinity
from gateway.backends.jina import Jina
from gateway.backends.llamacpp import LlamaCpp
from gateway.backends.ollama import Ollama
from gateway.backends.openai import OpenAI
from gateway.backends.tei import TextEmbeddingsInference
from gateway.backends.vllm import VLLM

if TYPE_CHECKING:
    from gateway.backends.dialect import Dialect

DIALECTS: tuple[Dialect, ...] = (
    Jina(),
    TextEmbeddingsInference(),
    OpenAI(),
    Azure(),
    VLLM(),
    Infinity(),
    Ollama(),
    Cohere(),
    LlamaCpp(),
)

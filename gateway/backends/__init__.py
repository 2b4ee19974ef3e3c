"""P: dialects of backends, bytes in and bytes out; a new one is a file here and a line in DIALECTS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backends.jina import Jina
from gateway.backends.tei import TextEmbeddingsInference

if TYPE_CHECKING:
    from gateway.backends.dialect import Dialect

DIALECTS: tuple[Dialect, ...] = (Jina(), TextEmbeddingsInference())

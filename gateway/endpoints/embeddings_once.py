"""P: the vector of an answer that nobody else will be shown, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.endpoints.embeddings_reply import EmbeddingsPresentation, fragments
from gateway.endpoints.vectors import floats
from gateway.vocabulary import FLOAT_BYTES

if TYPE_CHECKING:
    from gateway.vocabulary import Answer

_PLAIN = EmbeddingsPresentation()


def once(answer: Answer, presentation: EmbeddingsPresentation) -> list[bytes]:
    """As `fragments` of one answer, not kept: whoever asks for it next is given another object."""
    if presentation == _PLAIN and not answer.fragments and len(answer.payload) == FLOAT_BYTES * answer.width:
        return [orjson.dumps(floats(answer.payload), option=orjson.OPT_SERIALIZE_NUMPY)]
    return fragments((answer,), presentation)

"""P: the usual answer to one text, read in few steps; whatever is not exactly that takes the long way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backends.reading import UnreadableError, vector
from gateway.vocabulary import FLOAT_BYTES, Answer, Modality, Shape

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.vocabulary import Json


def lone_vector(ask: Ask, content: dict[str, Json]) -> Answer | None:
    """The vector and its tokens in OpenAI's list of one, where nothing is left out; None where something is odd.

    It is never more trusting than the readers of lists, which have the last word on what is odd.
    """
    job, entries, usage = ask.job, content.get("data"), content.get("usage")
    if job.shape is not Shape.DENSE or len(ask.units) != 1 or ask.units[0][0].modality is Modality.PDF:
        return None
    if type(entries) is not list or len(entries) != 1 or len(ask.units[0]) != 1 or type(usage) is not dict:
        return None
    entry, total = entries[0], usage.get("total_tokens")
    if type(entry) is not dict or type(total) is not int or total < 0:
        return None
    if type(entry.get("index")) is not int or entry["index"] != 0 or type(entry.get("embedding")) is not str:
        return None
    try:
        payload = vector(entry["embedding"])
    except UnreadableError:
        return None
    return Answer(Shape.DENSE, payload, len(payload) // FLOAT_BYTES, total)

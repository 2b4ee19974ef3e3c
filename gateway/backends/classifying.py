"""P: a classification as the Jina API makes it: what is asked, and what is believed of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.backends.reading import UnreadableError, in_order, score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.backends.dialect import Ask
    from gateway.vocabulary import Item, Json

ENDPOINT = "classify"


def inputs_of(ask: Ask) -> tuple[Item, ...]:
    """What is to be classified; the labels, which are the unit's last items, go by themselves."""
    unit = ask.units[0]
    return unit[: len(unit) - sum(ask.job.labels)]


def labels_of(ask: Ask) -> Json:
    """The labels as the client sent them: a list, or an object of lists."""
    return orjson.loads(str(dict(ask.job.parameters)["labels"]))


def classifications(ask: Ask, entries: Json) -> bytes:
    """The answer's `data`: every input once, with a share for each of the labels and no other.

    Raises:
        UnreadableError: something is missing, unknown or no number.
    """
    labels = labels_of(ask)
    read = in_order(entries, len(inputs_of(ask)), ordered=True)
    return orjson.dumps([_entry(index, entry, labels) for index, entry in enumerate(read)])


def _entry(index: int, entry: dict[str, Json], labels: Json) -> dict[str, Json]:
    prediction, best, predictions = (entry.get(part) for part in ("prediction", "score", "predictions"))
    kept: dict[str, Json] = {"object": "classification", "index": index}
    if isinstance(labels, list):
        return kept | read_set(prediction, best, predictions, labels)
    chosen, scores, listed = (_by_name(part, labels) for part in (prediction, best, predictions))
    read = {name: read_set(chosen[name], scores[name], listed[name], labels[name]) for name in labels}
    return kept | {part: {name: read[name][part] for name in labels} for part in ("prediction", "score", "predictions")}


def _by_name(part: Json, labels: dict[str, Json]) -> dict[str, Json]:
    if not isinstance(part, dict) or part.keys() != labels.keys():
        raise UnreadableError("a classification has other groups of labels")
    return part


def read_set(prediction: Json, best: Json, predictions: Json, labels: Sequence[str]) -> dict[str, Json]:
    """One choice: the label chosen, its share, and the shares of all in the order of the labels."""
    listed = predictions if isinstance(predictions, list) else []
    named = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("label"), str)]
    shares = {entry["label"]: entry.get("score") for entry in named}
    if len(listed) != len(labels) or shares.keys() != set(labels) or prediction not in labels:
        raise UnreadableError("a classification has other labels")
    ordered = [{"label": label, "score": score(shares[label])} for label in labels]
    return {"prediction": prediction, "score": score(best), "predictions": ordered}

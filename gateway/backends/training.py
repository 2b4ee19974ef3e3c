"""P: trained classifiers at the Jina API: training, using, forgetting; and what is believed of the answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

from gateway.backends.classifying import read_set
from gateway.backends.dialect import Outcome, OutcomeKind
from gateway.backends.reading import UnreadableError, in_order, json_of, message_of
from gateway.errors import Code
from gateway.vocabulary import TRAIN

if TYPE_CHECKING:
    from gateway.backends.dialect import Ask
    from gateway.ports import RawReply
    from gateway.vocabulary import Item, Json

CLASSIFIERS = "classifiers"

_TOLD = {404: Code.RESOURCE_NOT_FOUND, 409: Code.CONFLICT_RESOURCE_BUSY}

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""Goes into a path; nothing that could lead elsewhere does."""


def identifier_of(ask: Ask) -> str | None:
    """The classifier that an ask is about, None where it makes one or needs none."""
    found = dict(ask.job.parameters).get("classifier_id")
    return None if found is None else str(found)


def few_shot_body(ask: Ask, items: list[Json]) -> dict[str, Json]:
    """Inputs for a trained classifier."""
    return {"classifier_id": identifier_of(ask), "input": items}


def training_body(ask: Ask) -> dict[str, Json]:
    """Examples for a new classifier, or for one that is named."""
    given = dict(ask.job.parameters)
    labels: list[str] = orjson.loads(str(given["labels"]))
    examples = [_example(item, label) for item, label in zip(ask.units[0], labels, strict=True)]
    body: dict[str, Json] = {"input": examples, "num_iters": given["num_iters"]}
    if "classifier_id" in given:
        return body | {"classifier_id": given["classifier_id"]}
    return body | {"model": ask.model, "access": given["access"]}


def removal_path(ask: Ask) -> str:
    """Where a classifier is forgotten."""
    return f"/v1/{CLASSIFIERS}/{identifier_of(ask)}"


def trained(ask: Ask, content: dict[str, Json]) -> bytes:
    """The answer to a training, without its usage.

    Raises:
        UnreadableError: it names no classifier, or another one.
    """
    identifier, wanted = content.get("classifier_id"), identifier_of(ask)
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        raise UnreadableError("a training names no classifier")
    if wanted is not None and identifier != wanted:
        raise UnreadableError("a training names another classifier")
    samples = content.get("num_samples")
    told = samples if type(samples) is int else len(ask.units[0])
    return orjson.dumps({"classifier_id": identifier, "num_samples": told})


def few_shot(ask: Ask, entries: Json) -> bytes:
    """The answer's `data`: every input once, all with the same labels.

    Raises:
        UnreadableError: something is missing, unknown or no number.
    """
    read = in_order(entries, len(ask.units[0]), ordered=True)
    labels = [_labels(entry) for entry in read]
    if any(row != labels[0] for row in labels):
        raise UnreadableError("classifications differ in their labels")
    return orjson.dumps(
        [
            {"object": "classification", "index": index}
            | read_set(entry.get("prediction"), entry.get("score"), entry.get("predictions"), labels[0])
            for index, entry in enumerate(read)
        ]
    )


def refusal(ask: Ask, reply: RawReply) -> Outcome | None:
    """What a classifier that is not there, or busy, means: the client's business. Without one it is our setup's."""
    code = _TOLD.get(reply.status)
    if code is None or identifier_of(ask) is None:
        return None
    try:
        content = json_of(reply)
    except UnreadableError:
        return None
    told = isinstance(content, dict) and content.get("code") == code
    return Outcome(OutcomeKind.INVALID, message=message_of(reply.body), code=code) if told else None


def is_training(ask: Ask) -> bool:
    """Whether an answer is that of a training."""
    return ask.job.endpoint == TRAIN


def _labels(entry: dict[str, Json]) -> list[str]:
    listed = entry.get("predictions")
    found = [label.get("label") for label in listed if isinstance(label, dict)] if isinstance(listed, list) else []
    if not found or not all(isinstance(label, str) for label in found):
        raise UnreadableError("a classification has no labels")
    return [str(label) for label in found]


def _example(item: Item, label: str) -> dict[str, Json]:
    return {item.modality.value: item.parts[0].value, "label": label}

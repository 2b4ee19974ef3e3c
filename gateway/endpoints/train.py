"""P: POST /v1/train: examples for a new classifier or for one that there is, and the jobs that they become."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson

from gateway.catalogue.model import Family, Model
from gateway.endpoints.body import MAX_ECHO, check, choose, decode, drop_unknown, refuse_beside_classifier
from gateway.endpoints.items import points_elsewhere
from gateway.endpoints.parameters import classification_parameters
from gateway.endpoints.schemas_train import IMAGES, SCHEMAS, UpdateTrainingRequest
from gateway.endpoints.transaction import Creation, Update
from gateway.errors import FieldError, invalid_labels, invalid_request, model_not_found
from gateway.vocabulary import TRAIN, Job, Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from gateway.config.snapshot import Snapshot
    from gateway.endpoints.schemas import Items
    from gateway.endpoints.schemas_train import Example
    from gateway.vocabulary import Answer, Json

_TEXT = frozenset({Modality.TEXT})
_ANY = Model(UpdateTrainingRequest.__name__, "", "", "", 0, "", 0, modalities=_TEXT | {Modality.IMAGE})
"""Stands for the model of a classifier while that is not known: it reads whatever an example may be."""


@dataclass(frozen=True, slots=True)
class TrainPresentation:
    """What a reply tells of a training that is made here."""

    classifier_id: str
    samples: int


class Train:
    """The train endpoint. A training is a transaction: it ends in weights that are stored."""

    name: Final = TRAIN

    def validate(self, body: bytes, snapshot: Snapshot) -> Creation | Update:
        """The examples in a body; see Endpoint.validate.

        Raises:
            GatewayError: also INPUT_INVALID_LABELS.
        """
        fields = decode(body)
        lenient = snapshot.config.server.validation == "lenient"
        if "classifier_id" in fields:
            return _update(fields, lenient=lenient)
        model, family = choose(fields, "classify", snapshot)
        schema = SCHEMAS.get(family)
        if schema is None:
            raise model_not_found(model.name)
        warnings = drop_unknown(fields, schema) if lenient else ()
        request = check(schema, fields, replace(model, modalities=modalities(family)))
        items, labels = _apart(vars(request)["input"])
        if len(set(labels)) < 2:  # noqa: PLR2004 - there is nothing to tell apart
            raise invalid_labels("At least two different labels are needed")
        return Creation(model, items, labels, request.num_iters, request.access, warnings)

    def assemble(self, job: Job, answers: Sequence[Answer]) -> bytes:
        """The reply's body; see Endpoint.assemble."""
        shown = job.presentation
        usage = {"total_tokens": sum([answer.tokens for answer in answers]) * job.times}
        if isinstance(shown, TrainPresentation):
            told: dict[str, Json] = {"classifier_id": shown.classifier_id, "num_samples": shown.samples}
        else:
            told = orjson.loads(answers[0].payload)
        return orjson.dumps(told | {"usage": usage})

    def stream(self, job: Job, answers: Sequence[Answer]) -> Generator[bytes, None, None] | None:
        """Never: it is short."""
        del job, answers
        return None


def training_job(asked: Creation | Update, model: Model, identifier: str, *, url_inputs: bool) -> Job:
    """Embeddings of the examples, as for a classification; they are learnt from once they are there."""
    return Job(
        endpoint="embeddings",
        model=model.name,
        revision=model.revision,
        units=tuple([(item,) for item in asked.items]),
        shape=model.shape,
        parameters=classification_parameters(model),
        presentation=TrainPresentation(identifier, len(asked.items)),
        storable=url_inputs or not points_elsewhere(asked.items),
        warnings=asked.warnings,
        iterations=asked.iterations,
    )


def relayed_training(asked: Creation | Update, model: Model, backend: str) -> Job:
    """The whole call for a backend that trains itself. Its id takes the place of the model in an update."""
    if isinstance(asked, Creation):
        named: list[tuple[str, str | int | bool]] = [("access", asked.access)]
    else:
        named = [("classifier_id", asked.classifier_id)]
    labels = orjson.dumps(asked.labels).decode()
    return Job(
        endpoint=TRAIN,
        model=model.name,
        revision=model.revision,
        units=(asked.items,),
        shape=Shape.VERBATIM,
        parameters=(*named, ("labels", labels), ("num_iters", asked.iterations)),
        presentation=None,
        whole=True,
        storable=False,
        warnings=asked.warnings,
        iterations=asked.iterations,
        backend=backend,
    )


def modalities(family: Family | None) -> frozenset[Modality]:
    """What examples for models of a family may be."""
    return _TEXT | {Modality.IMAGE} if family in IMAGES else _TEXT


def check_modalities(items: Items, model: Model) -> None:
    """Let examples pass that a classifier's model can read.

    Raises:
        GatewayError: INPUT_INVALID.
    """
    accepted = modalities(model.classify)
    wrong = [at for at, item in enumerate(items) if item.modality not in accepted]
    if wrong:
        text = f"Model '{model.name}' of this classifier reads no {items[wrong[0]].modality.value}"
        raise invalid_request((FieldError(f"body -> {_ANY.name} -> input -> {wrong[0]}", text, "item_type"),))


def _update(fields: dict[str, Json], *, lenient: bool) -> Update:
    refuse_beside_classifier(fields, {"access": "the access of a classifier is chosen when it is created"})
    warnings = drop_unknown(fields, UpdateTrainingRequest) if lenient else ()
    request = check(UpdateTrainingRequest, fields, _ANY)
    items, labels = _apart(request.input)
    return Update(request.classifier_id[:MAX_ECHO], items, labels, request.num_iters, warnings)


def _apart(examples: Sequence[Example]) -> tuple[Items, tuple[str, ...]]:
    labels = tuple([example.label for example in examples])
    if not all(labels):
        raise invalid_labels("A label is empty")
    return tuple([example.item for example in examples]), labels

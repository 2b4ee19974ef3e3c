"""P: POST /v1/classify by a trained classifier: what is asked, its job, and its scores as a reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from gateway.catalogue.model import Model
from gateway.endpoints.body import MAX_ECHO, check, drop_unknown, refuse_beside_classifier
from gateway.endpoints.classify_reply import entries, softmax, unit_rows
from gateway.endpoints.parameters import classification_parameters
from gateway.endpoints.schemas_classify import FewShotClassificationRequest
from gateway.endpoints.transaction import FewShot
from gateway.vocabulary import Job, Shape

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from gateway.classifiers.linear import Linear
    from gateway.vocabulary import Answer, Json

_UNTRAINED = Model(FewShotClassificationRequest.__name__, "", "", "", 0, "", 0)
"""Stands for the model of a classifier while that is not known: it reads text."""

_STEP = 256
"""Inputs that are scored and written at once."""


@dataclass(frozen=True, slots=True)
class FewShotPresentation:
    """The classifier whose scores are told."""

    classifier: Linear


def read_few_shot(fields: dict[str, Json], *, lenient: bool) -> FewShot:
    """Inputs for a trained classifier.

    Raises:
        GatewayError: INPUT_INVALID.
    """
    refuse_beside_classifier(fields, {"labels": '"labels" field should not be provided for few-shot classification'})
    warnings = drop_unknown(fields, FewShotClassificationRequest) if lenient else ()
    request = check(FewShotClassificationRequest, fields, _UNTRAINED)
    return FewShot(request.classifier_id[:MAX_ECHO], request.input, warnings)


def few_shot_job(asked: FewShot, model: Model, classifier: Linear) -> Job:
    """Embeddings of the inputs as those of the examples were; the scores are made of them."""
    return Job(
        endpoint="embeddings",
        model=model.name,
        revision=model.revision,
        units=tuple([(item,) for item in asked.items]),
        shape=model.shape,
        parameters=classification_parameters(model),
        presentation=FewShotPresentation(classifier),
        warnings=asked.warnings,
    )


def relayed_few_shot(asked: FewShot, model: Model, backend: str) -> Job:
    """The whole call for the backend that has the classifier; what it answers changes with each training."""
    return Job(
        endpoint="classify",
        model=model.name,
        revision=model.revision,
        units=(asked.items,),
        shape=Shape.VERBATIM,
        parameters=(("classifier_id", asked.classifier_id),),
        presentation=None,
        whole=True,
        storable=False,
        warnings=asked.warnings,
        backend=backend,
    )


def few_shot_pieces(shown: FewShotPresentation, answers: Sequence[Answer]) -> Generator[bytes, None, None]:
    """The reply, some inputs at a time: softmax over all labels' scores, in the order in which they were learnt."""
    labels = shown.classifier.labels
    opening = b'{"data":['
    for start in range(0, len(answers), _STEP):
        shares = softmax(shown.classifier.scores(unit_rows(answers[start : start + _STEP])))
        listed = entries([shares], ((None, labels),), start)
        yield (b"," if start else opening) + b",".join(map(orjson.dumps, listed))
    usage = {"total_tokens": sum([answer.tokens for answer in answers])}
    yield (b"" if answers else opening) + b'],"usage":' + orjson.dumps(usage) + b"}"

"""P: /v1/classifiers: what is told of trained classifiers, and how a backend is asked to forget one."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from gateway.vocabulary import Item, Job, Shape
from gateway.vocabulary.when import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.catalogue.model import Model
    from gateway.ports import Classifier
    from gateway.vocabulary import Json

NAME = "classifiers"

PATH = "/v1/classifiers"

_PURPOSE = b"gw-user-id"


def summaries(classifiers: Sequence[Classifier], secret: bytes) -> bytes:
    """The list, bare as in the contract."""
    return orjson.dumps([_summary(classifier, secret) for classifier in classifiers])


def removed(classifier: Classifier) -> bytes:
    """What is told when one is gone."""
    return orjson.dumps({"classifier_id": classifier.id, "deleted": True})


def removal_job(classifier: Classifier, model: Model) -> Job:
    """The id for the backend that has it; the item is empty, as a job has one."""
    return Job(
        endpoint=NAME,
        model=model.name,
        revision=model.revision,
        units=((Item.text(""),),),
        shape=Shape.VERBATIM,
        parameters=(("classifier_id", classifier.id),),
        presentation=None,
        whole=True,
        storable=False,
        backend=classifier.backend,
    )


def _summary(classifier: Classifier, secret: bytes) -> dict[str, Json]:
    return {
        "classifier_id": classifier.id,
        "user_id": _user(classifier.tenant, secret),
        "model": classifier.model,
        "labels": classifier.labels,
        "access": classifier.access,
        "updated_number": classifier.trainings - 1,
        "used_number": classifier.uses,
        "created_at": shown(classifier.created),
        "updated_at": shown(classifier.updated),
        "used_at": None if classifier.used is None else shown(classifier.used),
        "is_active": True,
        "is_latest": True,
        "metadata_": {},
    }


def _user(tenant: str, secret: bytes) -> str:
    """A UUID that stands for a tenant, always the same, and tells nothing of its name."""
    digest = blake2b(tenant.encode(), digest_size=16, key=secret[:64], person=_PURPOSE).digest()
    return str(UUID(bytes=digest, version=4))

"""P: trained classifiers in the OpenAPI document: training, listing, deleting."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - pydantic evaluates annotations
from typing import TYPE_CHECKING
from uuid import UUID  # noqa: TC003 - as above

from pydantic import Field

from gateway.endpoints.classifiers import PATH
from gateway.endpoints.openapi_parts import ref, responses
from gateway.endpoints.schemas import Component
from gateway.endpoints.schemas_replies import BaseUsage
from gateway.endpoints.schemas_train import SCHEMAS, UpdateTrainingRequest
from gateway.vocabulary import Json  # noqa: TC001 - as above

if TYPE_CHECKING:
    from pydantic import BaseModel


class TrainingResponse(Component):
    """What a training made, or changed."""

    classifier_id: str
    num_samples: int
    usage: BaseUsage = Field(default_factory=lambda: BaseUsage(total_tokens=0))


class ClassifierSummary(Component):
    """One of the caller's classifiers."""

    classifier_id: UUID
    user_id: UUID
    model: str
    labels: list[str]
    access: str
    updated_number: int
    used_number: int
    created_at: datetime
    updated_at: datetime
    used_at: datetime | None = None
    is_active: bool = True
    is_latest: bool = True
    metadata_: dict[str, Json] = Field(default_factory=dict)


COMPONENTS: tuple[type[BaseModel], ...] = (
    *SCHEMAS.values(),
    UpdateTrainingRequest,
    TrainingResponse,
    ClassifierSummary,
)


def classifier_paths(tag: str) -> dict[str, Json]:
    """What is done to classifiers besides training them."""
    both = {"tags": [tag], "security": [{"HTTPBearer": []}]}
    listed = {"type": "array", "items": ref(ClassifierSummary.__name__)}
    list_them = {
        "operationId": "list_classifiers_v1_classifiers_post",
        "summary": "List your classifiers",
        **both,
        "responses": responses(listed),
    }
    delete = {
        "operationId": "delete_classifier_v1_classifiers__classifier_id__delete",
        "summary": "Delete one of your classifiers",
        "parameters": [{"in": "path", "name": "classifier_id", "required": True, "schema": {"type": "string"}}],
        **both,
        "responses": responses({"type": "object", "additionalProperties": True}, checked=True),
    }
    return {PATH: {"get": list_them, "post": list_them}, f"{PATH}/{{classifier_id}}": {"delete": delete}}

"""P: GET /v1/models and /v1/models/{model_id}: what is served here, in the contract's form and OpenAI's at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.errors import resource_not_found
from gateway.vocabulary import Modality, Shape

if TYPE_CHECKING:
    from gateway.catalogue.model import Model
    from gateway.config.snapshot import Snapshot
    from gateway.vocabulary import Json

_FREE = "0"
_MAX_ECHO = 200

# The hub calls the owner differently.
_HUB_OWNERS = {"jina-ai": "jinaai"}


def list_models(snapshot: Snapshot) -> bytes:
    """Every served model once, under its qualified name, and every alias of one as an entry of its own."""
    identifiers = {_identifier(name, served.model): served.model for name, served in snapshot.served.items()}
    data = [_entry(identifier, model) for identifier, model in identifiers.items()]
    return orjson.dumps({"object": "list", "data": data})


def get_model(name: str, snapshot: Snapshot) -> bytes:
    """One model, asked for by bare name, qualified name or alias.

    Raises:
        GatewayError: RESOURCE_NOT_FOUND; no such model is served.
    """
    served = snapshot.served.get(name)
    if served is None:
        raise resource_not_found("Model", name[:_MAX_ECHO])
    return orjson.dumps(_entry(_identifier(name, served.model), served.model))


def _identifier(name: str, model: Model) -> str:
    return model.qualified_name if name == model.name else name


def _entry(identifier: str, model: Model) -> dict[str, Json]:
    owner = _HUB_OWNERS.get(model.owner, model.owner)
    return {
        "id": identifier,
        "object": "model",
        "owned_by": model.owner,
        "hugging_face_id": f"{owner}/{model.name}",
        "name": model.title,
        "created": model.created,
        "input_modalities": [
            modality.value for modality in Modality if modality in model.modalities and modality is not Modality.GROUP
        ],
        "output_modalities": _outputs(model),
        "quantization": "int8" if "/int8" in model.revision else "",
        "context_length": model.context_length,
        "max_output_length": model.max_dimensions or model.dimensions,
        "pricing": {
            "prompt": model.price,
            "completion": _FREE,
            "image": _FREE,
            "request": _FREE,
            "input_cache_read": _FREE,
            "input_cache_write": _FREE,
        },
        "supported_sampling_parameters": [],
        "supported_features": [],
        "description": model.description,
        "datacenters": [],
    }


def _outputs(model: Model) -> list[str]:
    outputs = []
    if model.embeddings is not None:
        outputs.append("sparse_embeddings" if model.shape is Shape.SPARSE else "embeddings")
    if model.rerank is not None:
        outputs.append("scores")
    if model.chat:
        outputs.append("text")
    return outputs

"""P: models whose backend speaks a dialect that cannot answer for them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from gateway.config.dialects import ABILITIES
from gateway.config.serving import catalogue_model, directly_served
from gateway.vocabulary import Modality, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.catalogue.model import Model
    from gateway.config.backends import Backend, ModelEntry
    from gateway.config.dialects import Ability
    from gateway.config.problem import Origin, Path, Problem
    from gateway.config.schema import Config

_SERVICES = ("reader_url", "search_url", "ground_url", "segment_url")
_TEXT = frozenset({Modality.TEXT})
_MORE = "more than text"
_NAMES = {
    Shape.DENSE: "embeddings",
    Shape.MULTI: "multi-vectors",
    Shape.SPARSE: "sparse vectors",
    Shape.SCORE: "rerank",
    Shape.RANKING: "listwise rerank",
}


def azure_problems(backend: Backend, origin: Origin, path: Path) -> Iterator[Problem]:
    """Azure refuses every call that names no version of its API."""
    if backend.dialect == "azure" and "api-version" not in parse_qs(urlsplit(backend.url).query):
        yield origin.problem(path, "names no version of the API", "add `?api-version=2024-10-21`, or a later one")


def unable_problems(config: Config, origin: Origin) -> Iterator[Problem]:
    """Each route of a model by which it cannot be served."""
    served = directly_served(config)
    for name, entry in config.models.items():
        if entry.backend is None or name not in served:
            continue
        model, here = served[name].model, ("models", name)
        backends = (entry.backend, *(also.backend for also in entry.replicas))
        for position, backend in enumerate(backends):
            dialect = config.backends[backend].dialect
            lacking = _lacking(model, ABILITIES[dialect])
            if lacking:
                path = _where(here, entry, lacking, position)
                remedy = f"dialect `{dialect}` cannot; name a backend that can"
                yield origin.problem(path, f"needs {lacking} from `{backend}`", remedy + _otherwise(entry, lacking))


def relay_problems(config: Config, origin: Origin) -> Iterator[Problem]:
    """`serve: upstream` of models that no upstream makes more than embeddings for."""
    served = directly_served(config)
    for name, entry in config.models.items():
        if entry.serve == "upstream" and name in served and not served[name].relays:
            what = "only the Jina API makes classifications, and for its own models"
            yield origin.problem(("models", name, "serve"), what, "leave the line out: they are made here")


def service_problems(config: Config, origin: Origin) -> Iterator[Problem]:
    """Addresses of the Jina API's services at a backend that is something else, and a relay that leads nowhere."""
    for name, backend in config.backends.items():
        for setting in _SERVICES if backend.dialect != "jina" else ():
            if setting in backend.model_fields_set:
                remedy = "move the line to a backend of dialect jina, or leave it out"
                yield origin.problem(("backends", name, setting), "goes with `dialect: jina` only", remedy)
        if backend.relay_segments and backend.segment_url is None:
            remedy = "add `segment_url: https://segment.jina.ai`, or leave the line out"
            yield origin.problem(("backends", name, "relay_segments"), "leads nowhere", remedy)


def _lacking(model: Model, ability: Ability) -> str:
    """What a dialect lacks for a model, in a word; empty when nothing."""
    needed = [model.shape] if model.embeddings else []
    if model.multivector:
        needed.append(Shape.MULTI)
    if model.rerank:
        needed.append(Shape.RANKING if model.listwise else Shape.SCORE)
    for shape in needed:
        if shape not in ability.shapes:
            return _NAMES[shape]
    if model.chat and not ability.chat:
        return "chat completions"
    if model.chat and not needed:
        return ""
    listed = catalogue_model(model.name)
    wanted = listed.modalities if listed else model.modalities
    if ability.modalities == _TEXT:
        return "" if wanted == _TEXT else _MORE
    beyond = model.modalities - ability.modalities
    return " and ".join(modality.value for modality in Modality if modality in beyond)


def _where(here: Path, entry: ModelEntry, lacking: str, position: int) -> Path:
    if lacking == _NAMES[Shape.SCORE] and entry.rerank:
        return (*here, "rerank")
    if lacking == _NAMES[Shape.MULTI] and entry.multivector:
        return (*here, "multivector")
    if lacking not in _NAMES.values() and entry.modalities:
        return (*here, "modalities")
    return (*here, "replicas", position - 1, "backend") if position else (*here, "backend")


def _otherwise(entry: ModelEntry, lacking: str) -> str:
    return ", or write `rerank: false`" if lacking == _NAMES[Shape.SCORE] and entry.rerank else ""

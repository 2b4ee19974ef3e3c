"""P: which models are served, under which names, by which backend."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.catalogue.model import Family, Model
from gateway.catalogue.registry import CATALOGUE, LOCAL_MODELS
from gateway.config.defaults import EMBEDDED
from gateway.config.dialects import ABILITIES
from gateway.config.snapshot import Route, Served
from gateway.vocabulary import Modality, Shape

if TYPE_CHECKING:
    from gateway.config.backends import ModelEntry
    from gateway.config.schema import Config

_READS_TEXT = frozenset({Modality.TEXT})
_READS_IMAGES = _READS_TEXT | {Modality.IMAGE}
DEFAULT_CONTEXT_LENGTH = 8_192
"""Tokens a model of one's own reads when its entry does not say."""


def catalogue_model(name: str) -> Model | None:
    """The catalogue's model of that name, bare or `owner/name`; the local ones count."""
    known = {**CATALOGUE, **{model.name: model for model in LOCAL_MODELS}}
    model = known.get(name.rpartition("/")[2])
    return model if model and name in names(model) else None


def names(model: Model) -> tuple[str, str]:
    """What clients may call a model."""
    return model.name, model.qualified_name


def embeds(entry: ModelEntry) -> bool:
    """Whether an entry of one's own answers embeddings: by default unless it only reranks or chats."""
    if entry.embeddings is not None:
        return entry.embeddings
    return bool(entry.sparse) or entry.dimensions is not None or not (entry.rerank or entry.chat)


def served_models(config: Config) -> dict[str, Served]:
    """Everything served, by every name; entries that `check_references` would refuse are passed over."""
    served = directly_served(config)
    aliases = {
        name: served[entry.alias] for name, entry in config.models.items() if entry.alias and entry.alias in served
    }
    for alias, target in aliases.items():
        shadowed = catalogue_model(alias)
        for name in names(shadowed) if shadowed else (alias,):
            served[name] = target
    return served


def directly_served(config: Config) -> dict[str, Served]:
    """As `served_models`, without aliases.

    The first backend of dialect `jina` serves the whole catalogue, the first embedded one the local models; an entry
    under `models` moves one of these to another backend, or adds a model.
    """
    entries: list[Served] = []
    jina = next((name for name, backend in config.backends.items() if backend.dialect == "jina"), None)
    embedded = next((name for name, backend in config.backends.items() if backend.url == EMBEDDED), None)
    if jina is not None:
        entries += [Served(model, (Route(jina, model.name),), relays=True) for model in CATALOGUE.values()]
    if embedded is not None:
        entries += [Served(model, (Route(embedded, model.name),)) for model in LOCAL_MODELS]
    for name, entry in config.models.items():
        added = _configured(name, entry)
        if added is not None and all(route.backend in config.backends for route in added.routes):
            able = _as_far_as_able(added, config) if catalogue_model(name) else added
            entries.append(replace(able, relays=_can_relay(added, config)))
    by_name = {name: served for served in entries for name in names(served.model)}
    for name, entry in config.models.items():
        if entry.alias is None and name in by_name:
            tuned = _tuned(by_name[name], entry)
            by_name |= dict.fromkeys(names(tuned.model), tuned)
    return by_name


def _tuned(served: Served, entry: ModelEntry) -> Served:
    """With an entry's word on how answers are kept, and where they are made.

    A model that is not asked in full is one whose shorter vectors are not derived.
    """
    model = served.model if entry.ask_in_full is not False else replace(served.model, matryoshka=False)
    if entry.token_ids is not None:
        model = replace(model, token_ids=entry.token_ids)
    relays = served.relays and entry.serve != "local"
    return replace(served, model=model, cache_scope=entry.cache_scope or served.cache_scope, relays=relays)


def _as_far_as_able(served: Served, config: Config) -> Served:
    """A catalogue model elsewhere: what the backends' dialects cannot carry is not offered. Chats pass as they are."""
    if served.model.chat:
        return served
    abilities = [ABILITIES[config.backends[route.backend].dialect] for route in served.routes]
    model = replace(
        served.model,
        modalities=served.model.modalities.intersection(*[ability.modalities for ability in abilities]),
        multivector=served.model.multivector and all(Shape.MULTI in ability.shapes for ability in abilities),
    )
    return replace(served, model=model)


def _can_relay(served: Served, config: Config) -> bool:
    """Only the Jina API has answers of its own for its models; ours are made here, whoever embeds for them."""
    jina = all(config.backends[route.backend].dialect == "jina" for route in served.routes)
    return jina and served.model.name in CATALOGUE


def _configured(name: str, entry: ModelEntry) -> Served | None:
    if entry.alias is not None or entry.backend is None:
        return None
    listed = catalogue_model(name)
    if listed is None:
        model = _own_model(name, entry, entry.backend)
        return Served(model, _routes(entry, entry.backend, name)) if model else None
    moved = replace(listed, revision=entry.revision or listed.revision, price=entry.price or listed.price)
    return Served(moved, _routes(entry, entry.backend, listed.name))


def _routes(entry: ModelEntry, backend: str, name: str) -> tuple[Route, ...]:
    """The first backend and its replicas; each may know the model by another name."""
    known_as = entry.backend_model or name
    more = [Route(also.backend, also.backend_model or known_as, also.weight) for also in entry.replicas]
    return (Route(backend, known_as), *more)


def _own_model(name: str, entry: ModelEntry, backend: str) -> Model | None:
    embeddings = embeds(entry)
    sparse = embeddings and bool(entry.sparse)
    dimensions = entry.dimensions if embeddings and not sparse else 0
    if dimensions is None or not (embeddings or entry.rerank or entry.chat):
        return None
    return Model(
        name=name,
        owner=backend,
        title=name,
        description=f"Configured here, served by backend {backend}.",
        created=0,
        revision=entry.revision or f"{name}@{entry.backend_model or name}",
        context_length=entry.context_length or DEFAULT_CONTEXT_LENGTH,
        embeddings=Family.OWN_EMBEDDINGS if embeddings else None,
        rerank=Family.OWN_RERANKER if entry.rerank else None,
        classify=Family.OWN_ZERO_SHOT if embeddings and not sparse else None,
        chat=bool(entry.chat),
        shape=_shape(entry, sparse=sparse, embeddings=embeddings),
        dimensions=dimensions,
        max_dimensions=dimensions or None,
        matryoshka=bool(entry.matryoshka),
        multivector=bool(entry.multivector),
        modalities=frozenset(entry.modalities or (_READS_TEXT if embeddings or not entry.chat else _READS_IMAGES)),
        price=entry.price or "0",
        tokenizer=entry.tokenizer,
    )


def _shape(entry: ModelEntry, *, sparse: bool, embeddings: bool) -> Shape:
    if embeddings:
        return Shape.SPARSE if sparse else Shape.DENSE
    return Shape.SCORE if entry.rerank else Shape.VERBATIM

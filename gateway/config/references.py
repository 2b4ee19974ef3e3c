"""P: what a schema cannot see: names that nothing answers to, settings that contradict each other, likely slips."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.abilities import azure_problems, relay_problems, service_problems, unable_problems
from gateway.config.addresses import is_address, store_problems
from gateway.config.defaults import EMBEDDED, merged_tiers, with_defaults
from gateway.config.jobs import check_jobs
from gateway.config.problem import Origin, Path, Problem, suggestion
from gateway.config.serving import catalogue_model, directly_served, embeds, served_models
from gateway.config.traces import check_traces
from gateway.config.webhooks import check_webhooks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.config.backends import ModelEntry
    from gateway.config.schema import Config, Tenant
    from gateway.config.snapshot import Served

_KEEPING = ("cache_scope", "ask_in_full", "serve", "token_ids")
_CATALOGUE_FACTS = (
    "dimensions",
    "context_length",
    "embeddings",
    "rerank",
    "chat",
    "matryoshka",
    "multivector",
    "sparse",
    "modalities",
    "tokenizer",
)


def check_references(config: Config, origin: Origin) -> list[Problem]:
    """Everything that makes a configuration of the right form unusable."""
    return [
        *store_problems(config, origin),
        *_admin(config, origin),
        *_passthrough(config, origin),
        *_default_models(config, origin),
        *_tenants(config, origin),
        *_backends(config, origin),
        *_models(config, origin),
        *unable_problems(with_defaults(config), origin),
        *relay_problems(with_defaults(config), origin),
        *service_problems(config, origin),
        *_webhooks(config, origin),
        *check_traces(config.traces, origin),
        *check_jobs(config.jobs, origin),
    ]


def warnings(config: Config, origin: Origin) -> list[Problem]:
    """What can be meant so, but seldom is."""
    return list(_warnings(config, origin))


def _passthrough(config: Config, origin: Origin) -> Iterator[Problem]:
    tiers, tier = merged_tiers(config), config.server.passthrough_tier
    if tier not in tiers:
        yield origin.problem(("server", "passthrough_tier"), "no tier of that name", suggestion(tier, tiers))
    jina = [name for name, backend in config.backends.items() if backend.dialect == "jina"]
    if config.server.authentication == "passthrough" and not jina:
        remedy = "add one of `dialect: jina`, or write `authentication: keys`"
        yield origin.problem(("server", "authentication"), "no backend takes the keys that are passed through", remedy)


def _default_models(config: Config, origin: Origin) -> Iterator[Problem]:
    served = served_models(with_defaults(config))
    for endpoint, name in config.server.default_models.items():
        able = [known for known, entry in served.items() if entry.model.family(endpoint)]
        if name not in able:
            path = ("server", "default_models", endpoint)
            yield origin.problem(path, f"no model of that name answers {endpoint}", suggestion(name, able))


def _admin(config: Config, origin: Origin) -> Iterator[Problem]:
    if config.admin.port is not None and config.admin.token is None:
        remedy = "add `token: ${ADMIN_TOKEN}`, 16 characters or more, or leave `port` out"
        yield origin.problem(("admin", "token"), "missing, so anybody could make keys", remedy)


def _tenants(config: Config, origin: Origin) -> Iterator[Problem]:
    tiers, served = merged_tiers(config), served_models(with_defaults(config))
    owners: dict[str, tuple[str, Path]] = {}
    for name, tenant in config.tenants.items():
        if tenant.tier not in tiers:
            yield origin.problem(("tenants", name, "tier"), "no tier of that name", suggestion(tenant.tier, tiers))
        yield from _prices(tenant, served, origin, ("tenants", name, "prices"))
        yield from _spending(tenant, origin, ("tenants", name))
        for position, key in enumerate(tenant.keys):
            path: Path = ("tenants", name, "keys", position)
            owner, first = owners.setdefault(key, (name, path))
            if owner != name:
                what = f"the same key as {'.'.join(map(str, first))}"
                yield origin.problem(path, what, "a key belongs to one tenant, so give each its own")


def _spending(tenant: Tenant, origin: Origin, path: Path) -> Iterator[Problem]:
    periods: list[str] = []
    for position, budget in enumerate(tenant.budgets):
        if budget.per in periods:
            remedy = "keep the smaller one; its `soft` shares can be several"
            yield origin.problem((*path, "budgets", position), f"a second budget per {budget.per}", remedy)
        periods.append(budget.per)
    balance = tenant.balance
    if balance is not None and (balance.starting_tokens is None) == (balance.starting_usd is None):
        remedy = "write `starting_tokens` or `starting_usd`: one balance has one unit"
        yield origin.problem((*path, "balance"), "needs one of two units", remedy)


def _prices(tenant: Tenant, served: Mapping[str, Served], origin: Origin, path: Path) -> Iterator[Problem]:
    written: dict[str, str] = {}
    for name in tenant.prices:
        if name not in served:
            yield origin.problem((*path, name), "no model of that name is served", suggestion(name, served))
            continue
        first = written.setdefault(served[name].model.name, name)
        if first != name:
            yield origin.problem((*path, name), f"the same model as `{first}`", "keep one of the two")


def _backends(config: Config, origin: Origin) -> Iterator[Problem]:
    for name, backend in config.backends.items():
        path = ("backends", name, "url")
        if backend.url == EMBEDDED:
            if backend.dialect != "tei":
                yield origin.problem(path, "the bundled model does not speak this dialect", "write `dialect: tei`")
        elif not is_address(backend.url, ("http", "https", "unix")):
            yield origin.problem(path, "not an address", "write http(s)://host[:port][/path] or unix:/path/to.sock")
        else:
            yield from azure_problems(backend, origin, path)


def _webhooks(config: Config, origin: Origin) -> Iterator[Problem]:
    usable = tuple(is_address(webhook.url, ("http", "https")) for webhook in config.webhooks)
    yield from check_webhooks(config.webhooks, usable, origin)


def _models(config: Config, origin: Origin) -> Iterator[Problem]:
    config = with_defaults(config)
    served = directly_served(config)
    for name, entry in config.models.items():
        path = ("models", name)
        if entry.alias is not None:
            yield from _alias(config, origin, path, entry, served)
        elif entry.backend is None and name in served and _written(entry, _KEEPING):
            yield from _not_without_backend(origin, path, entry)
        elif entry.backend is None:
            remedy = "write `backend: NAME` (who serves it) or `alias: MODEL` (what it stands for)"
            yield origin.problem(path, "neither `backend` nor `alias`", remedy)
        elif entry.backend not in config.backends:
            remedy = suggestion(entry.backend, config.backends)
            yield origin.problem((*path, "backend"), "no backend of that name", remedy)
        elif entry.replicas and (wrong := list(_replicas(config, origin, path, entry))):
            yield from wrong
        elif catalogue_model(name) is not None:
            for setting in _written(entry, _CATALOGUE_FACTS):
                what = "the catalogue knows this about the model"
                yield origin.problem((*path, setting), what, "leave the line out")
        else:
            yield from _own(origin, path, entry)


def _replicas(config: Config, origin: Origin, path: Path, entry: ModelEntry) -> Iterator[Problem]:
    named = [entry.backend]
    for index, also in enumerate(entry.replicas):
        here = (*path, "replicas", index, "backend")
        if also.backend not in config.backends:
            yield origin.problem(here, "no backend of that name", suggestion(also.backend, config.backends))
        elif also.backend in named:
            yield origin.problem(here, "serves this model already", "name each backend once; `weight` says how much")
        named.append(also.backend)


def _not_without_backend(origin: Origin, path: Path, entry: ModelEntry) -> Iterator[Problem]:
    """An entry that only says how answers of a served model are kept says nothing else."""
    for setting in _written(entry, tuple(sorted(entry.model_fields_set - set(_KEEPING)))):
        yield origin.problem((*path, setting), "goes with `backend` only", "name the `backend`, or leave the line out")


def _alias(
    config: Config, origin: Origin, path: Path, entry: ModelEntry, served: dict[str, Served]
) -> Iterator[Problem]:
    alias = entry.alias or ""
    here = (*path, "alias")
    for setting in _written(entry, tuple(sorted(entry.model_fields_set - {"alias"}))):
        yield origin.problem((*path, setting), "does not go with `alias`", "leave it out, or leave `alias` out")
    target = config.models.get(alias)
    if target is not None and target.alias is not None:
        yield origin.problem(here, "an alias of an alias", "name the model itself")
    elif alias not in served:
        yield origin.problem(here, "no model of that name is served", suggestion(alias, served))


def _own(origin: Origin, path: Path, entry: ModelEntry) -> Iterator[Problem]:
    if entry.sparse:
        for setting in _written(entry, ("dimensions", "matryoshka", "multivector")):
            yield origin.problem((*path, setting), "sparse vectors have no such thing", "leave the line out")
    elif embeds(entry) and entry.dimensions is None:
        remedy = "add the length of its vectors, or `rerank: true` for a model that only reranks"
        yield origin.problem((*path, "dimensions"), "missing", remedy)
    elif not embeds(entry) and not (entry.rerank or entry.chat):
        yield origin.problem(path, "answers nothing", "write `rerank: true`, or `dimensions` for embeddings")


def _written(entry: ModelEntry, settings: tuple[str, ...]) -> list[str]:
    return [setting for setting in settings if getattr(entry, setting) is not None]


def _warnings(config: Config, origin: Origin) -> Iterator[Problem]:
    used = {route.backend for served in served_models(config).values() for route in served.routes}
    passed = config.server.authentication == "passthrough"
    for name, tenant in config.tenants.items():
        if passed:
            remedy = "take the tenants out, or write `authentication: keys`"
            yield origin.problem(("tenants", name), "is nobody, since callers' own keys are passed through", remedy)
        elif not tenant.keys:
            yield origin.problem(("tenants", name), "has no keys, so nobody calls as it", "add `keys: [${NAME}]`")
    for name, backend in config.backends.items():
        if backend.dialect == "jina" and backend.credentials == (None,) and not passed:
            remedy = "add `key: ${JINA_API_KEY}`"
            yield origin.problem(("backends", name), "has no key, so the API will refuse its calls", remedy)
        if name not in used:
            yield origin.problem(("backends", name), "serves no model", "name it as `backend` of an entry in `models`")

"""P: what a snapshot looks up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.authenticate import digest
from gateway.catalogue.model import Family, Tokenizer
from gateway.catalogue.registry import CATALOGUE, LOCAL_MODEL, LOCAL_MODELS
from gateway.config.accounts import Accounts, RuntimeKey, RuntimeTenant
from gateway.config.compile import compile_snapshot, wants_embedded_model, with_accounts, with_defaults
from gateway.config.defaults import merged_tiers
from gateway.config.metering import limits_of
from gateway.config.parse import parse
from gateway.config.problem import ConfigError
from gateway.config.schema import Config, Tenant
from gateway.config.snapshot import Route
from gateway.vocabulary import CacheScope, Caller, Limits, Meter, Modality, Scope, Shape

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot

SECRET = b"s" * 32
JINA = "backends:\n  up: {dialect: jina, url: https://api.jina.ai, key: k}\n"
TEI = "  own: {dialect: tei, url: http://127.0.0.1:1}\n"


def compiled(text: str) -> Snapshot:
    return compile_snapshot(parse(text, "f", {}), secret=SECRET, digest=digest)


@pytest.mark.parametrize(
    ("tiers", "name", "limits"),
    [
        ("{}", "free", Limits(500, 1_000_000, 5)),
        ("{}", "tier1", Limits(500, 10_000_000, 50)),
        ("{}", "tier2", Limits(5_000, 100_000_000, 500)),
        ("{tier2: {rpm: 100}}", "tier2", Limits(100, 100_000_000, 500)),
        ("{tier2: {rpm: null}}", "tier2", Limits(None, 100_000_000, 500)),
        ("{tier2: {rpm: 100, tpm: 1000000, concurrency: 5}}", "tier2", Limits(100, 1_000_000, 5)),
        ("{tier2: {rpm: 100}}", "tier1", Limits(500, 10_000_000, 50)),
        ("{gold: {tpm: 7}}", "gold", Limits(None, 7, None)),
    ],
)
def test_tiers_merge_by_name_over_the_shipped_ones(tiers: str, name: str, limits: Limits) -> None:
    assert limits_of(merged_tiers(parse(f"tiers: {tiers}", "f", {}))[name]) == limits


def test_a_key_leads_to_its_tenant() -> None:
    text = "tenants: {a: {tier: tier1, org: o, keys: [key-of-a1, key-of-a2], cache_scope: off}, b: {keys: [key-of-b1]}}"
    snapshot = compiled(text)
    found = [snapshot.directory[digest(key, SECRET)] for key in ("key-of-a1", "key-of-a2", "key-of-b1")]
    assert [(who.tenant, who.org, who.tier, who.limits.concurrency, who.cache_scope) for who in found] == [
        ("a", "o", "tier1", 50, CacheScope.OFF),
        ("a", "o", "tier1", 50, CacheScope.OFF),
        ("b", "default", "free", 5, CacheScope.ORG),
    ]
    assert found[0].key_id == digest("key-of-a1", SECRET).hex()[:12]
    assert snapshot.secret == SECRET


def test_issued_keys_belong_to_their_tenant_and_a_written_key_wins() -> None:
    config = parse("tiers: {tier2: {rpm: 7}}\ntenants: {a: {org: o, keys: [written-key]}}", "f", {})
    issued = {b"1": ("dev", "id1"), b"2": ("a", "id2"), digest("written-key", SECRET): ("dev", "id3")}
    directory = compile_snapshot(config, secret=SECRET, digest=digest, issued=issued).directory
    dev, own = Limits(7, 100_000_000, 500), Limits(500, 1_000_000, 5)
    meters = {name: (Meter(f"t:{name}", Scope.TENANT, limits),) for name, limits in (("dev", dev), ("a", own))}
    assert directory[b"1"] == Caller("dev", "default", "tier2", "id1", dev, meters=meters["dev"])
    assert directory[b"2"] == Caller("a", "o", "free", "id2", own, meters=meters["a"])
    assert directory[digest("written-key", SECRET)].tenant == "a"
    assert len(directory) == 3


def test_without_backends_the_bundled_model_is_served() -> None:
    assert with_defaults(Config()) == parse("backends: {local: {dialect: tei, url: embedded}}", "f", {})
    snapshot = compile_snapshot(Config(), secret=SECRET, digest=digest, embedded_url="unix:/run/m.sock")
    assert set(snapshot.served) == {name for m in LOCAL_MODELS for name in (m.name, m.qualified_name)}
    assert (snapshot.served[LOCAL_MODEL.name].routes[0].backend, snapshot.config.backends["local"].url) == (
        "local",
        "unix:/run/m.sock",
    )


@pytest.mark.parametrize(
    ("text", "wanted"), [("", True), (JINA, False), (JINA + "  m: {dialect: tei, url: embedded}", True)]
)
def test_the_bundled_model_runs_only_for_a_backend(text: str, wanted: bool) -> None:  # noqa: FBT001 - a table's column
    assert wants_embedded_model(parse(text, "f", {})) is wanted


def test_the_first_jina_backend_serves_the_catalogue_and_nothing_else() -> None:
    snapshot = compiled(JINA + "  later: {dialect: jina, url: https://x, key: k}\n")
    assert set(snapshot.served) == {name for m in CATALOGUE.values() for name in (m.name, m.qualified_name)}
    assert {route.backend for served in snapshot.served.values() for route in served.routes} == {"up"}


def test_an_entry_moves_a_catalogue_model() -> None:
    name = "jina-embeddings-v3"
    served = compiled(f"{JINA}{TEI}models: {{{name}: {{backend: own, backend_model: j3, price: '1'}}}}").served
    moved = served[name]
    assert (moved.routes, moved.model.price) == ((Route("own", "j3"),), "1")
    assert moved.model.revision == CATALOGUE[name].revision
    assert served[CATALOGUE[name].qualified_name] == moved
    assert served["jina-embeddings-v2-base-en"].routes[0].backend == "up"


def test_models_of_ones_own() -> None:
    served = compiled(
        f"{JINA}{TEI}models:\n"
        "  BAAI/bge-m3: {backend: own, backend_model: m3, dimensions: 1024, context_length: 99, matryoshka: true,\n"
        "    tokenizer: o200k_base}\n"
        "  both: {backend: own, dimensions: 8, rerank: true, revision: r1}\n"
        "  ranker: {backend: own, rerank: true}\n"
    ).served
    model = served["BAAI/bge-m3"].model
    assert served["own/BAAI/bge-m3"].routes[0].backend_model == "m3"
    assert (model.embeddings, model.rerank, model.dimensions) == (Family.OWN_EMBEDDINGS, None, 1024)
    assert (model.revision, model.context_length, model.matryoshka) == ("BAAI/bge-m3@m3", 99, True)
    assert model.tokenizer is Tokenizer.O200K
    both, ranker = served["both"].model, served["ranker"].model
    assert (both.embeddings, both.rerank, both.revision) == (Family.OWN_EMBEDDINGS, Family.OWN_RERANKER, "r1")
    assert (ranker.embeddings, ranker.rerank, ranker.dimensions) == (None, Family.OWN_RERANKER, 0)
    assert (ranker.shape, ranker.revision) == (Shape.SCORE, "ranker@ranker")


def test_models_of_ones_own_with_other_vectors_and_modalities() -> None:
    infinity = '  look: {dialect: infinity, url: "http://x"}\n'
    served = compiled(
        f"{JINA}{TEI}{infinity}models:\n"
        "  rows: {backend: own, dimensions: 128, multivector: true}\n"
        "  words: {backend: own, sparse: true}\n"
        "  clip: {backend: look, dimensions: 4, modalities: [image, text], rerank: true}\n"
        "  jina-clip-v2: {backend: look}\n"
        "  jina-embeddings-v4: {backend: look}\n"
    ).served
    rows, words, clip = (served[name].model for name in ("rows", "words", "clip"))
    assert (rows.shape, rows.multivector, rows.modalities) == (Shape.DENSE, True, frozenset({Modality.TEXT}))
    assert (words.shape, words.dimensions, words.classify) == (Shape.SPARSE, 0, None)
    assert words.embeddings is Family.OWN_EMBEDDINGS
    assert clip.modalities == {Modality.TEXT, Modality.IMAGE}
    # Infinity reads no PDF, and has no multi-vectors.
    moved = served["jina-clip-v2"].model
    assert moved.modalities == CATALOGUE["jina-clip-v2"].modalities - {Modality.PDF}
    assert CATALOGUE["jina-embeddings-v4"].multivector
    assert not served["jina-embeddings-v4"].model.multivector


@pytest.mark.parametrize("alias", ["small", "jina-embeddings-v3"])
def test_an_alias_is_another_name_for_the_same(alias: str) -> None:
    served = compiled(f"models: {{{alias}: {{alias: {LOCAL_MODEL.qualified_name}}}}}").served
    assert served[alias] == served[LOCAL_MODEL.name]


def test_an_alias_in_place_of_a_catalogue_model_takes_both_its_names() -> None:
    name = "jina-embeddings-v3"
    served = compiled(
        f"{JINA}  m: {{dialect: tei, url: embedded}}\nmodels: {{{name}: {{alias: {LOCAL_MODEL.name}}}}}"
    ).served
    assert served[CATALOGUE[name].qualified_name].model == served[name].model == LOCAL_MODEL


def test_a_config_that_was_not_parsed_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"configuration: tenants\.a\.tier: no tier of that name"):
        compile_snapshot(Config(tenants={"a": Tenant(tier="gold")}), secret=SECRET, digest=digest)


def test_an_entry_may_only_say_how_a_models_answers_are_kept() -> None:
    served = compiled(f"{JINA}models: {{jina-embeddings-v3: {{cache_scope: tenant, ask_in_full: false}}}}").served
    for name in ("jina-embeddings-v3", "jina-ai/jina-embeddings-v3"):
        assert served[name].cache_scope is CacheScope.TENANT
        assert not served[name].model.matryoshka
    assert served["jina-embeddings-v4"].cache_scope is CacheScope.SHARED
    assert served["jina-embeddings-v4"].model.matryoshka


def test_whose_token_ids_a_model_gets_is_a_setting() -> None:
    served = compiled(
        f"{JINA}{TEI}models:\n"
        "  jina-embeddings-v3: {token_ids: qwen3.5}\n"
        "  mine: {backend: own, dimensions: 8, token_ids: o200k_base}\n"
    ).served
    assert served["jina-ai/jina-embeddings-v3"].model.token_ids is Tokenizer.QWEN35
    assert served["mine"].model.token_ids is Tokenizer.O200K
    assert served["jina-embeddings-v4"].model.token_ids is Tokenizer.CL100K


def test_what_the_jina_api_makes_for_its_own_models_is_asked_of_it_unless_told_otherwise() -> None:
    served = compiled(
        f"{JINA}{TEI}  too: {{dialect: jina, url: http://too, key: k}}\n"
        "models:\n"
        "  jina-embeddings-v3: {serve: local}\n"
        "  jina-embeddings-v5-text-small: {backend: own, backend_model: j5}\n"
        "  jina-clip-v1: {backend: too, replicas: [{backend: up}], serve: upstream}\n"
        "  jina-clip-v2: {backend: too, serve: local}\n"
        "  jina-embeddings-v2-base-de: {backend: too, replicas: [{backend: own}]}\n"
        "  mine: {backend: up, dimensions: 8}\n"
    ).served
    relayed = {name for name in served if served[name].relays and "/" not in name}
    here = {"jina-embeddings-v3", "jina-embeddings-v5-text-small", "jina-clip-v2", "jina-embeddings-v2-base-de"}
    assert relayed == CATALOGUE.keys() - here
    assert not served["jina-ai/jina-embeddings-v3"].relays


def test_the_local_model_and_ones_own_classify_if_they_embed() -> None:
    served = compiled(
        f"backends:\n{TEI}models: {{a: {{backend: own, dimensions: 8}}, b: {{backend: own, rerank: true}}}}"
    ).served
    assert [served[name].model.classify for name in ("a", "b")] == [Family.OWN_ZERO_SHOT, None]
    assert not served["a"].relays


def test_a_plan_says_how_many_labels_there_may_be() -> None:
    snapshot = compiled(
        "tiers: {few: {labels: 3}}\ntenants: {a: {tier: few, keys: [key-of-a1]}, b: {keys: [key-of-b1]}}"
    )
    labels = {caller.tenant: caller.labels for caller in snapshot.directory.values()}
    assert labels == {"a": 3, "b": 256}


def test_a_tenants_own_price_holds_under_any_name_of_the_model() -> None:
    prices = "tenants:\n  search: {prices: {jina-ai/jina-embeddings-v3: 0.1}}\n  other: {}\n"
    snapshot = compiled(JINA + prices)
    model = snapshot.served["jina-embeddings-v3"].model
    assert [snapshot.price(tenant, model) for tenant in ("search", "other")] == ["0.1", "0.00000005"]


def made_at_run_time(tenant: str, key: str, **settings: int) -> dict[str, RuntimeKey]:
    return {"id": RuntimeKey(tenant=tenant, digest=digest(key, SECRET).hex(), created=1, **settings)}


@pytest.mark.parametrize(
    ("tenants", "keys", "found"),
    [
        ({"b": RuntimeTenant(tier="tier2", org="o")}, made_at_run_time("b", "key-of-b1", expires=9), ("b", "tier2", 9)),
        ({"a": RuntimeTenant(tier="tier2")}, made_at_run_time("a", "key-of-b1"), ("a", "tier1", None)),
        ({"b": RuntimeTenant(enabled=False)}, made_at_run_time("b", "key-of-b1"), None),
        ({"b": RuntimeTenant(tier="gone")}, made_at_run_time("b", "key-of-b1"), None),
        ({}, made_at_run_time("b", "key-of-b1"), None),
        ({"b": RuntimeTenant()}, made_at_run_time("b", "key-of-b1", revoked=1), None),
    ],
)
def test_what_was_made_at_run_time_is_known_and_the_file_wins(
    tenants: dict[str, RuntimeTenant], keys: dict[str, RuntimeKey], found: tuple[str, str, int | None] | None
) -> None:
    base = compiled("tenants: {a: {tier: tier1, keys: [key-of-a1]}}")
    caller = with_accounts(base, Accounts(tenants, keys)).directory.get(digest("key-of-b1", SECRET))
    assert (caller and (caller.tenant, caller.tier, caller.expires)) == found


def test_a_key_of_the_file_wins_over_an_equal_one() -> None:
    base = compiled("tenants: {a: {keys: [key-of-a1]}}")
    accounts = Accounts({"b": RuntimeTenant()}, made_at_run_time("b", "key-of-a1"))
    assert with_accounts(base, accounts).directory == base.directory

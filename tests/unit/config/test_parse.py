"""P: what a configuration text means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.parse import override, parse, read
from gateway.config.problem import ConfigError
from gateway.config.schema import Config, Server
from gateway.vocabulary import CacheScope

MINIMAL = """\
backends: {jina: {dialect: jina, url: https://api.jina.ai, key: ${JINA_API_KEY}}}
tenants: {search: {tier: tier1, keys: [${SEARCH_KEY}]}}
"""
# What may stand in an environment variable, among it everything that has a meaning in YAML.
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1) | st.text(
    "${}[]:#,&*!|>'\"%@-", min_size=1
)


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "---\n", "null", "server:\ntenants:\nmodels: ~\n", "{}"])
def test_nothing_written_is_all_defaults(text: str) -> None:
    assert parse(text, "f", {}) == Config()


def test_references_stand_inside_flow_mappings() -> None:
    config = parse(MINIMAL, "f", {"JINA_API_KEY": "up} #", "SEARCH_KEY": "12345678"})
    assert config.backends["jina"].key == "up} #"
    assert config.tenants["search"].keys == ("12345678",)


@given(value=VALUES)
def test_a_variable_is_text_whatever_it_holds(value: str) -> None:
    for text in ("server: {data_dir: ${X}}", "server:\n  data_dir: ${X} # note", "server: {data_dir: '${X}'}"):
        assert parse(text, "f", {"X": value}).server.data_dir == value


@given(text=st.text("server:tnaky {}[]$&*!|>'\"%@-\n\t<\\#,~0") | st.text())
def test_any_text_is_a_config_or_a_config_error(text: str) -> None:
    try:
        parse(text, "f", {})
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - most texts are errors, a few are not


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("${A}", "one"),
        ("x${A}y${A}", "xoneyone"),
        ("${MISSING:-fallback}", "fallback"),
        ("${EMPTY:-fallback}", "fallback"),
        ("${MISSING:-a: b #c}", "a: b #c"),
        ('"${MISSING:-}"', ""),
        ("$${A}", "${A}"),
        ("$${A:-b}", "${A:-b}"),
        ("a$${", "a${"),
        ("$$${A}", "$${A}"),
        ("$A", "$A"),
        ("'{${A}}'", "{one}"),
        ("|-\n    ${A}\n    two", "one\ntwo"),
        ("2024", "2024"),
        ("off", "off"),
        ("5e-08", "5e-08"),
        ('"null"', "null"),
    ],
)
def test_a_text_setting(written: str, meant: str) -> None:
    assert parse(f"server:\n  data_dir: {written}", "f", {"A": "one", "EMPTY": ""}).server.data_dir == meant


def test_the_place_decides_the_type() -> None:
    text = """
server: {port: ${PORT}, workers: "2", timeout: ${T:-0.5}}
cache: {scope: off, url_inputs: ${U}}
tenants: {a: {org: 2024, cache_scope: off}}
store: {url: ${STORE:-}}
tiers: {mine: {rpm: null}, yours: {rpm: ${R:-}}}
"""
    config = parse(text, "f", {"PORT": "9000", "U": "true"})
    assert (config.server.port, config.server.workers, config.server.timeout) == (9000, 2, 0.5)
    assert (config.cache.scope, config.cache.url_inputs, config.store.url) == (CacheScope.OFF, True, None)
    assert (config.tenants["a"].org, config.tenants["a"].cache_scope) == ("2024", CacheScope.OFF)
    assert (config.tiers["mine"].rpm, config.tiers["yours"].rpm) == (None, None)


def test_an_entry_with_nothing_below_it_is_empty() -> None:
    config = parse("tenants:\n  a:\n  b:\n    keys:\ntiers: {t: }\n", "f", {})
    assert [config.tenants[name].keys for name in "ab"] == [(), ()]
    assert config.tiers["t"].rpm is None


def test_anchors_repeat_a_value() -> None:
    config = parse("tiers:\n  a: &same {rpm: 5}\n  b: *same\n", "f", {})
    assert config.tiers["a"] == config.tiers["b"]


def test_likely_slips_are_warnings_with_their_line() -> None:
    text = """
tenants: {search: {}}
backends:
  first: {dialect: jina, url: https://api.jina.ai, key: abc}
  second: {dialect: jina, url: https://api.jina.ai}
"""
    assert [str(warning) for warning in read(text, "f", {}).warnings] == [
        "f:2: tenants.search: has no keys, so nobody calls as it; add `keys: [${NAME}]`",
        "f:5: backends.second: has no key, so the API will refuse its calls; add `key: ${JINA_API_KEY}`",
        "f:5: backends.second: serves no model; name it as `backend` of an entry in `models`",
    ]


def test_the_command_line_wins_over_the_file() -> None:
    config = parse("server: {port: 1, workers: 2}\nlimits: {lease_seconds: 9}", "f", {})
    changed = override(config, host="0.0.0.0", port=0, workers=None, data_dir="d")  # noqa: S104 - a value, not a listener
    assert changed.server == Server(host="0.0.0.0", port=0, workers=2, data_dir="d")  # noqa: S104 - as above
    assert changed.limits == config.limits
    assert override(config, host=None, port=None, workers=None, data_dir=None) is config


def test_options_have_the_same_bounds() -> None:
    with pytest.raises(ConfigError) as caught:
        override(Config(), port=70_000, workers=0)
    assert str(caught.value).splitlines() == [
        "command line: --port: too large; write 65535 or less",
        "command line: --workers: too small; write 1 or more",
    ]

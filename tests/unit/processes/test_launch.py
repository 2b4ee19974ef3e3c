from __future__ import annotations

from gateway.config.defaults import merged_tiers
from gateway.config.metering import limits_of
from gateway.config.parse import override, parse
from gateway.launch import Launch
from gateway.vocabulary import Limits

TEXT = """
server: {secret: "0123456789abcdef", drain_timeout: 2.5}
tiers: {tier1: {rpm: null}, own: {tpm: 7}}
tenants: {search: {tier: own, keys: ["key-of-search"], cache_scope: tenant}}
backends: {jina: {dialect: jina, url: https://api.jina.ai, key: upstream-key}}
"""


def launch() -> Launch:
    config = override(parse(TEXT, "test", {}), port=0, workers=3)
    return Launch(
        config=config,
        secret=b"\x00\xff secret",
        issued=((b"\x01\x02", "dev", "0102"),),
        store_url="unix:///s?password=hush",
        embedded_url="unix:/m",
        worker=2,
        metrics_dir="/metrics",
    )


def test_it_survives_the_pipe() -> None:
    line = launch().to_json()
    assert "\n" not in line
    assert Launch.from_json(line) == launch()


def test_what_was_written_stays_told_from_what_is_default() -> None:
    config = Launch.from_json(launch().to_json()).config
    assert limits_of(merged_tiers(config)["tier1"]) == Limits(None, 10_000_000, 50)
    assert config.tiers["own"].model_fields_set == {"tpm"}
    assert (config.server.port, config.server.workers, config.server.drain_timeout) == (0, 3, 2.5)


def test_no_secret_shows_in_its_representation() -> None:
    shown = repr(launch())
    for secret in ("key-of-search", "upstream-key", "hush", "secret", "0123456789abcdef", "\\x01"):
        assert secret not in shown

"""What is in deploy/, read: configurations by the gateway's own loader, the rest for what must not get lost."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli.load import load_config
from gateway.config.schema import Config

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
SECRETS = ("GATEWAY_SECRET", "JINA_API_KEY", "SEARCH_KEY", "ADMIN_TOKEN")


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.mark.parametrize("name", ["gateway.yaml", "sidecar/gateway.yaml"])
def test_a_configuration_is_usable_without_a_warning(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in SECRETS:
        monkeypatch.setenv(secret, "0123456789abcdef" * 2)
    loaded = load_config(DEPLOY / name)
    assert not loaded.warnings
    assert isinstance(loaded.config, Config)


def test_the_sidecar_is_for_its_own_pod_only() -> None:
    server = read("sidecar/gateway.yaml")["server"]
    assert (server["host"], server["authentication"]) == ("127.0.0.1", "passthrough")
    assert "url" not in read("sidecar/gateway.yaml")["store"]


def test_compose_runs_two_gateways_on_one_durable_store_and_names_every_secret() -> None:
    services = read("compose.yaml")["services"]
    gateways = [services[name] for name in ("gateway-1", "gateway-2")]
    for gateway in gateways:
        assert gateway["read_only"] is True
        assert gateway["cap_drop"] == ["ALL"]
        assert gateway["environment"]["GATEWAY_CONFIG"] == "/etc/gateway/gateway.yaml"
        assert all(port.startswith("127.0.0.1:") for port in gateway["ports"])
        assert set(SECRETS) <= set(gateway["environment"])
    assert not set(gateways[0]["volumes"]) & {"gateway-2:/data"}
    store = " ".join(services["valkey"]["command"])
    assert "--appendonly yes" in store
    assert "--maxmemory-policy volatile-lfu" in store
    asked = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text()))
    assert asked == set(re.findall(r"^(\w+)=$", (DEPLOY / "env.example").read_text(), re.MULTILINE))


def test_every_image_is_pinned_by_a_tag_that_is_a_version() -> None:
    images = [service["image"] for service in read("compose.yaml")["services"].values()]
    base = re.findall(r"^ARG BASE=(.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert len(base) == 1
    for image in images + base:
        assert re.search(r":v?\d+\.\d+", image), image


def test_compose_names_files_that_are_there() -> None:
    for service in read("compose.yaml")["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).exists(), source


def test_prometheus_scrapes_both_gateways_as_the_job_that_the_boards_ask_for() -> None:
    (job,) = read("prometheus.yml")["scrape_configs"]
    assert job["job_name"] == "gateway"
    assert job["static_configs"] == [{"targets": ["gateway-1:8080", "gateway-2:8080"]}]
    assert "--enable-feature=native-histograms" in read("compose.yaml")["services"]["prometheus"]["command"]
    assert job["always_scrape_classic_histograms"] is True


def test_the_lock_has_every_dependency_by_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [
        entry for extra in ("local", "s3", "gcs", "otel") for entry in project["optional-dependencies"][extra]
    ]
    lock = (DEPLOY / "requirements.lock").read_text()
    locked = dict(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", lock, re.MULTILINE))
    for entry in wanted:
        name = re.split(r"[^\w.-]", entry)[0].lower().replace("_", "-")
        assert name in locked, f"{name}: run `make lock`"
    blocks = re.findall(r"^[a-z0-9].*(?:\n    .*)*", lock, re.MULTILINE)
    assert len(blocks) >= len(wanted)
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_image_is_not_root_and_has_a_healthcheck() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert "USER 10001:10001" in text.rpartition("FROM")[2]
    assert "HEALTHCHECK" in text
    assert "/live" in text
    assert "--require-hashes" in text


def test_the_chart_has_one_version_with_the_package() -> None:
    chart = read("helm/gateway/Chart.yaml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]
    assert f"gateway:{project['version']}" in (DEPLOY / "compose.yaml").read_text()


def test_every_value_is_in_the_schema() -> None:
    schema = json.loads((DEPLOY / "helm/gateway/values.schema.json").read_text())

    def compare(values: dict[str, Any], described: dict[str, Any], path: str) -> None:
        for name, value in values.items():
            assert name in described["properties"], f"{path}{name}"
            inner = described["properties"][name]
            if isinstance(value, dict) and "properties" in inner:
                compare(value, inner, f"{path}{name}.")

    compare(read("helm/gateway/values.yaml"), schema, "")


def test_the_fronts_write_the_clients_address_and_buffer_no_answer() -> None:
    nginx, haproxy = ((DEPLOY / name).read_text() for name in ("nginx.conf", "haproxy.cfg"))
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    assert "proxy_buffering off;" in nginx
    assert "non_idempotent" not in nginx
    assert "http-request del-header X-Forwarded-For" in haproxy
    assert "retry-on conn-failure" in haproxy

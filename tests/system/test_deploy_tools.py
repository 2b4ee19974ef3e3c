"""What is in deploy/, judged by the tools it is for: Helm, Kubernetes' schemas, hadolint, nginx, HAProxy, systemd."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fakes.running_gateway import PATIENCE

from gateway.config.parse import read

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = ROOT / ".venv" / "deploy" / "bin"
RENDERER = Path(__file__).with_name("chart_renderer.py")
CHART = str(DEPLOY / "helm" / "gateway")

needs_helm = pytest.mark.skipif(not TOOLS.exists(), reason="`make test` installs Helm for the tests")

DEFAULTS: dict[str, Any] = {}
CLUSTER = {"store": {"url": "rediss://:${STORE_PASSWORD}@redis.example:6380", "cluster": True, "port": 6380}}
ALL_ON: dict[str, Any] = {
    "admin": {"enabled": True},
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "spec": {"scrapeNativeHistograms": True, "scrapeClassicHistograms": True},
    },
    "networkPolicy": {
        "from": [{"namespaceSelector": {}}],
        "adminFrom": [{"podSelector": {}}],
        "egress": [{"ports": [{"port": 8000}]}],
    },
    "secret": {"values": {"GATEWAY_SECRET": "yes", "JINA_API_KEY": "12"}},
    "image": {"digest": "sha256:" + "a" * 64},
    "imagePullSecrets": [{"name": "pull"}],
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "tolerations": [{"operator": "Exists"}],
    "nodeSelector": {"disk": "fast"},
}
ALL_OFF = {
    "autoscaling": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "serviceAccount": {"create": False},
    "secret": {"existing": "mine"},
    "restartOnConfigChange": False,
}
WRONG = {"replcias": 3}
CASES = [DEFAULTS, CLUSTER, ALL_ON, ALL_OFF, WRONG]


def run(*argv: str | Path) -> str:
    """Standard output of a tool that must be content."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(name: str) -> str:
    path = shutil.which(name, path="/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture(scope="module")
def helm() -> dict[str, Any]:
    said: dict[str, Any] = json.loads(run(TOOLS / "python", RENDERER, CHART, json.dumps(CASES)))
    return said


def by_kind(objects: list[dict[str, Any]]) -> dict[str, Any]:
    return {entry["kind"]: entry for entry in reversed(objects)}


@needs_helm
def test_helm_finds_nothing_to_complain_of(helm: dict[str, Any]) -> None:
    assert not helm["lint"]["errors"]
    assert {message["severity"] for message in helm["lint"]["messages"]} <= {1}


@needs_helm
def test_the_chart_makes_what_its_values_ask_for(helm: dict[str, Any]) -> None:
    defaults, _, all_on, all_off, wrong = helm["results"]
    base = {"Deployment", "ConfigMap", "Service"}
    optional = {"HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Secret", "ServiceAccount"}
    assert set(by_kind(defaults)) == base | optional
    assert set(by_kind(all_on)) == base | optional | {"ServiceMonitor"}
    assert set(by_kind(all_off)) == base
    assert by_kind(all_on)["ServiceMonitor"]["spec"].items() >= ALL_ON["serviceMonitor"]["spec"].items()
    assert "replcias" in wrong


@needs_helm
def test_a_pod_may_write_nothing_but_its_data(helm: dict[str, Any]) -> None:
    pod = by_kind(helm["results"][0])["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert [container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")] == ["/live", "/ready"]
    folder = container["args"][container["args"].index("--data-dir") + 1]
    (mount,) = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "data"]
    # A folder below the mount, which belongs to root: the gateway takes others' access away from its own folder.
    assert Path(mount) in Path(folder).parents


@needs_helm
def test_the_pods_drain_within_their_grace(helm: dict[str, Any]) -> None:
    made = by_kind(helm["results"][0])
    config = loaded(made["ConfigMap"])
    grace = made["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > config.server.drain_timeout + 5 + 15


def loaded(config_map: dict[str, Any]) -> Any:
    """The gateway's configuration of a ConfigMap, by the gateway's own reader."""
    names = ("GATEWAY_SECRET", "JINA_API_KEY", "ADMIN_TOKEN", "STORE_PASSWORD")
    found = read(config_map["data"]["gateway.yaml"], "chart", dict.fromkeys(names, "0123456789abcdef" * 2))
    assert not found.warnings
    return found.config


@needs_helm
def test_the_gateway_takes_every_configuration_of_the_chart(helm: dict[str, Any]) -> None:
    defaults, cluster, all_on, *_ = (loaded(by_kind(made)["ConfigMap"]) for made in helm["results"][:4])
    assert (defaults.store.cluster, cluster.store.cluster) == (False, True)
    assert cluster.store.url == f"rediss://:{'0123456789abcdef' * 2}@redis.example:6380"
    assert (defaults.admin.port, all_on.admin.port) == (None, 8090)


@needs_helm
def test_the_sidecar_is_a_pod_that_kubernetes_takes() -> None:
    run(TOOLS / "python", RENDERER, DEPLOY / "sidecar" / "pod.yaml")


@needs_helm
def test_hadolint_is_content() -> None:
    run(TOOLS / "hadolint", DEPLOY / "Dockerfile")


def test_nginx_takes_its_file() -> None:
    run(tool("nginx"), "-t", "-q", "-c", DEPLOY / "nginx.conf")


def test_haproxy_takes_its_file() -> None:
    run(tool("haproxy"), "-c", "-q", "-f", DEPLOY / "haproxy.cfg")


def test_systemd_takes_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    """The program is not in /opt here: a copy of the unit names one that is there."""
    analyze = tool("systemd-analyze")
    unit = tmp_path / "gateway.service"
    unit.write_text(
        (DEPLOY / "systemd" / "gateway.service").read_text().replace("/opt/gateway/bin/gateway", "/bin/true")
    )
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "gateway.service" in line]
    assert (done.returncode, ours) == (0, [])
    # Of 100, where an unprotected service has 96.
    run(analyze, "security", "--offline=yes", "--threshold=25", "--no-pager", unit)

"""E: run with .venv/deploy's Python: Helm's own library renders the chart, Kubernetes' schemas judge it."""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python
import kubernetes_validate
import yaml

OLDEST, NEWEST = "1.30.0", "1.37.0"
OWN_KINDS = {"ServiceMonitor"}
"""Of the Prometheus Operator: Kubernetes has no schema of them."""


def rendered(chart: helm_python.Chart, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Every object that the chart makes of the values, each valid on the oldest and the newest Kubernetes."""
    texts = chart.render(values, name="demo", namespace="prod")
    manifests = [text for name, text in texts.items() if name.endswith(".yaml")]
    found = [entry for text in manifests for entry in yaml.safe_load_all(text) if entry]
    for entry in found:
        if entry["kind"] not in OWN_KINDS:
            for version in (OLDEST, NEWEST):
                kubernetes_validate.validate(entry, version, strict=True)
    return found


def main() -> None:
    """`CHART CASES`, a JSON list of values, or `FILE` of manifests; prints JSON."""
    if len(sys.argv) == 2:
        with open(sys.argv[1]) as file:  # noqa: PTH123 - a script of few lines
            for entry in yaml.safe_load_all(file):
                kubernetes_validate.validate(entry, NEWEST, strict=True)
        return
    path, cases = sys.argv[1], json.loads(sys.argv[2])
    results: list[Any] = []
    with helm_python.Chart.load(path) as chart:
        for values in cases:
            try:
                chart.validate_schema(values)
                results.append(rendered(chart, values))
            except helm_python.HelmError as error:
                results.append(str(error))
    print(json.dumps({"lint": helm_python.lint(path, strict=True), "results": results}))


if __name__ == "__main__":
    main()

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import yaml
from alerts import alerts
from artefacts import files
from slo import recording

from gateway.observe.document import START, Instrument, instruments, reference
from gateway.observe.store_metrics import SharedMetrics

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/metrics.md").read_text()
RUNBOOK = (ROOT / "docs/operations.md").read_text()
INSTRUMENTS = {instrument.name: instrument for instrument in instruments()}
KNOWN = {series for instrument in INSTRUMENTS.values() for series in instrument.series}
BOARDS = sorted((ROOT / "grafana/dashboards").glob("*.json"))
MAKERS = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
DESCRIBED = {f"{one.name}_total" if one.type == "counter" else one.name for one in SharedMetrics().describe()}
NAME = re.compile(r"\bgateway_\w+")
WORDS = {"by", "le", "instance", "job"}


def boards() -> list[str]:
    """Every query of a dashboard, and what its variables offer."""
    found = []
    for path in BOARDS:
        page = json.loads(path.read_text())
        found += [target["expr"] for panel in page["panels"] for target in panel["targets"]]
        found += [entry["definition"] for entry in page["templating"]["list"] if "definition" in entry]
    return found


EXPRESSIONS = [*boards(), *(alert.expr for alert in alerts()), *(r["expr"] for r in recording()["groups"][0]["rules"])]


def test_the_page_says_what_the_code_registers() -> None:
    assert PAGE.partition(START)[2] == reference(), "run `make docs`"


def test_every_metric_the_code_makes_is_on_the_page() -> None:
    """Whatever makes one, in whatever file: a class that the page's table does not know is found here."""
    made, composed = {one.name for one in instruments() if one.name in DESCRIBED}, 0
    for path in (ROOT / "gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                match node.args:
                    case [ast.Constant(value=str(name)), _, *_]:
                        made.add(f"{name}{'_total' if node.func.id == 'Counter' else ''}")
                    case [ast.JoinedStr(), *_]:
                        composed += 1
    assert composed == 1, "gateway_saved_<unit> alone has a name that is put together"
    assert (
        made | {f"gateway_saved_{unit}_total" for unit in ("inputs", "tokens", "dollars", "seconds")}
        == INSTRUMENTS.keys()
    )


def test_names_that_are_not_written_at_their_maker_are_in_one_file() -> None:
    here = {path.name for path in (ROOT / "gateway").rglob("*.py") if re.search(r"\wMetricFamily", path.read_text())}
    assert here == {"store_metrics.py"}


@pytest.mark.parametrize("instrument", INSTRUMENTS.values(), ids=lambda instrument: instrument.name)
def test_names_and_labels_are_as_prometheus_wants_them(instrument: Instrument) -> None:
    assert re.fullmatch(r"gateway_[a-z_]+", instrument.name)
    assert not set(instrument.labels) & {"key", "key_id", "path", "request_id", "address", "client", "le", "instance"}
    assert instrument.meaning.endswith(".")


def unknown(expression: str) -> set[str]:
    return set(NAME.findall(expression)) - KNOWN


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_query_asks_for_what_is_exported(expression: str) -> None:
    assert not unknown(expression)
    recorded = {rule["record"] for rule in recording()["groups"][0]["rules"]}
    assert set(re.findall(r"\bgateway:[\w:]+", expression)) <= recorded
    labels = {label for name in NAME.findall(expression) for label in _labels(name)} | WORDS
    for group in re.findall(r"by \(([^)]*)\)", expression):
        if NAME.search(expression):
            assert set(group.replace(" ", "").split(",")) <= labels
    for matchers in re.findall(r"gateway_\w+\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)\"", matchers)) <= labels


def _labels(series: str) -> tuple[str, ...]:
    return next(one.labels for one in INSTRUMENTS.values() if series in one.series)


def test_a_name_that_nobody_exports_is_seen() -> None:
    assert unknown("rate(gateway_requests[5m])") == {"gateway_requests"}


def test_every_metric_is_on_a_board() -> None:
    asked = {name for expression in EXPRESSIONS for name in NAME.findall(expression)}
    missing = [one.name for one in INSTRUMENTS.values() if not asked & set(one.series)]
    assert not missing


def test_the_files_are_what_the_script_writes() -> None:
    written = files()
    here = {path.relative_to(ROOT / "grafana").as_posix() for path in [*BOARDS, *(ROOT / "grafana").glob("a*.yaml")]}
    assert here <= written.keys()
    for path, text in written.items():
        assert (ROOT / "grafana" / path).read_text() == text, "run `make docs`"


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    rules = yaml.safe_load((ROOT / "grafana/alerts.yaml").read_text())["groups"][0]["rules"]
    sections = re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)
    assert sorted(rule["alert"] for rule in rules) == sorted(sections)
    assert {rule["annotations"]["runbook_url"] for rule in rules} == {
        f"docs/operations.md#{name.lower()}" for name in sections
    }


@pytest.mark.parametrize("section", RUNBOOK.split("\n## ")[1:], ids=lambda section: section.split()[0])
def test_a_section_says_what_it_means_and_what_to_do(section: str) -> None:
    """Who is woken looks for these words."""
    assert "**Means.**" in section
    assert re.search(r"\*\*Do\*\*|\*\*do\*\*", section)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_lie_beside_each_other(path: Path) -> None:
    page = json.loads(path.read_text())
    taken: set[tuple[int, int]] = set()
    for panel in page["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells

"""P: Grafana's JSON for a dashboard, from titles and PromQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
WIDTHS = {"stat": (4, 4), "timeseries": (12, 8), "table": (12, 8), "heatmap": (12, 8)}
SCHEMA = 39
"""Of Grafana 10 and later."""


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries` are pairs of PromQL and a legend; `unit` is Grafana's word (s, ops, percentunit, short, currencyUSD)."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    about: str = ""

    def json(self, number: int, x: int, y: int) -> Json:
        """The panel at a place of the grid."""
        width, height = WIDTHS[self.kind]
        asked: Json = {"timeseries": {}, "heatmap": {"format": "heatmap"}}.get(self.kind, {"instant": True})
        looks: Json = {"unit": self.unit, "min": 0}
        if self.kind == "timeseries":
            looks["custom"] = {"fillOpacity": 10, "showPoints": "never"}
        return {
            "id": number,
            "title": self.title,
            "type": self.kind,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "fieldConfig": {"defaults": looks, "overrides": []},
            "targets": [
                {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query, "legendFormat": legend} | asked
                for place, (query, legend) in enumerate(self.queries)
            ],
        } | self._extras()

    def _extras(self) -> Json:
        """What few panels have."""
        colours = {"mode": "scheme", "scheme": "Oranges", "steps": 64}
        options = {"calculate": False, "color": colours, "cellGap": 0, "yAxis": {"unit": self.unit}}
        return ({"options": options} if self.kind == "heatmap" else {}) | (
            {"description": self.about} if self.about else {}
        )


def panel(title: str, *queries: tuple[str, str], unit: str = "short", about: str = "") -> Panel:
    """Lines over time."""
    return Panel(title, queries, unit, about=about)


def heatmap(title: str, query: str, unit: str = "s", about: str = "") -> Panel:
    """How many values lie how high, over time."""
    return Panel(title, ((query, "{{le}}"),), unit, "heatmap", about)


def stat(title: str, query: str, unit: str = "short", about: str = "") -> Panel:
    """One number, now."""
    return Panel(title, ((query, ""),), unit, "stat", about)


def dashboard(name: str, title: str, panels: list[Panel], variables: dict[str, str]) -> Json:
    """A page; `variables` are choices: a metric by the label whose values are offered."""
    placed, x, y, row = [], 0, 0, 0
    for number, one in enumerate(panels, 1):
        width, height = WIDTHS[one.kind]
        if x + width > COLUMNS or (row and height != row):
            x, y = 0, y + row
        placed.append(one.json(number, x, y))
        x, row = x + width, height
    return {
        "uid": f"gateway-{name}",
        "title": f"Gateway / {title}",
        "tags": ["gateway"],
        "schemaVersion": SCHEMA,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [
            {"type": "dashboards", "tags": ["gateway"], "asDropdown": True, "title": "Gateway", "keepTime": True}
        ],
        "templating": {"list": [_source(), *(_variable(label, metric) for label, metric in variables.items())]},
        "panels": placed,
    }


def _source() -> Json:
    return {"name": "datasource", "type": "datasource", "query": "prometheus"}


def _variable(label: str, metric: str) -> Json:
    query = f"label_values({metric}, {label})"
    return {
        "name": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": label},
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }

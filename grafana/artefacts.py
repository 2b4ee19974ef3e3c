"""P: the files that are kept in this folder, as text."""

from __future__ import annotations

import json

import yaml
from alerts import rules, tests
from pages import pages
from slo import recording

MADE = "# Made by grafana/build.py (`make docs`): change that.\n"


def files() -> dict[str, str]:
    """What is written, by path below this folder."""
    boards = {
        f"dashboards/{name}.json": json.dumps(page, separators=(",", ":")) + "\n" for name, page in pages().items()
    }
    ruled = {"alerts.yaml": rules(), "alerts.test.yaml": tests(), "recording.yaml": recording()}
    return boards | {
        name: MADE + yaml.safe_dump(content, sort_keys=False, width=1_000) for name, content in ruled.items()
    }

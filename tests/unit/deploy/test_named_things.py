"""What pages for users call by name exists under that name: settings, metrics, files, targets of make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.config.explain import SECTIONS
from gateway.observe.document import instruments

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
SETTINGS = {section: set(model.model_fields) for section, (model, _) in SECTIONS.items()}
SERIES = {name for one in instruments() for name in (one.name, *one.series)}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FOLDERS = "gateway|tests|bench|deploy|grafana|docs"
NO_SETTINGS = {
    "server.address": "an attribute of spans",
    "server.port": "a setting, and an attribute of spans",
    "limits.concurrency": "of a key of a backend",
}


def strange(text: str) -> Iterator[str]:
    """Names in `code` that nothing has. What ends in a dot, an underscore or a placeholder stands for several."""
    for code in re.findall(r"`([^`\n]+)`", text):
        for name in re.findall(r"(?<![\w./<-])[a-z_]+(?:\.(?:[a-z_]+|<\w+>|[A-Z]+))+(?![\w/(])", code):
            section, *parts = name.split(".")
            if section in SETTINGS and name not in NO_SETTINGS and not name.endswith((".py", ".yaml")):
                yield from () if SETTINGS[section] & set(parts) else (name,)
        yield from (name for name in re.findall(r"\bgateway_[a-z_]*[a-z]\b(?![_{])", code) if name not in SERIES)
        yield from (name for name in re.findall(r"\bmake ([a-z-]+)", code) if name not in TARGETS)
        for path in re.findall(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./-]+\.\w+", code):
            yield from () if (ROOT / path).exists() else (path,)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    assert list(strange(page.read_text())) == []


@pytest.mark.parametrize(
    "text", ["limits.fallback", "tiers.<name>.rpn", "gateway_upstream_calls", "bench/gone.py", "make tea"]
)
def test_a_name_that_nothing_has_is_seen(text: str) -> None:
    assert list(strange(f"As `{text}` says.")) == [text.removeprefix("make ")]

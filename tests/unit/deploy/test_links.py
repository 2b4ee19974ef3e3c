"""Every link from one page of ours to another leads somewhere, to its heading, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
OUTSIDE = ("https://", "http://", "mailto:")


def without_code(text: str) -> str:
    """Indented and fenced blocks and `code` are examples, not links."""
    fenced = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ {4}.*$", "", fenced, flags=re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of headings: lower case, without punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, text: str) -> list[str]:
    found = []
    for link in LINK.findall(without_code(text)):
        path, _, anchor = link.partition("#")
        there = (page.parent / path) if path else page
        if link.startswith(OUTSIDE):
            continue
        if not there.exists() or (anchor and anchor not in anchors(there)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken(page, page.read_text())


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, rest = set(), [ROOT / "README.md"]
    while rest:
        page = rest.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = LINK.findall(without_code(page.read_text()))
        found = [(page.parent / link.partition("#")[0]).resolve() for link in links if not link.startswith(OUTSIDE)]
        rest += [path for path in found if path.is_file()]
    assert not {page.name for page in PAGES if "decisions" not in page.parts and page not in seen}


@pytest.mark.parametrize("link", ["nowhere.md", "metrics.md#nothing", "#nothing", "../docs"[:3] + "README.md#start"])
def test_a_link_that_leads_nowhere_is_seen(link: str) -> None:
    assert broken(ROOT / "docs/metrics.md", f"See [this]({link}).")

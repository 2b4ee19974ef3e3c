"""E: the example and the reference say everything that the schema says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gateway.config.defaults import SHIPPED_TIERS
from gateway.config.dialects import ABILITIES
from gateway.config.document import START, reference
from gateway.config.explain import SECTIONS
from gateway.config.parse import parse
from gateway.config.schema import Config

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {"SEARCH_KEY": "search-key", "JINA_API_KEY": "jina-key", "GATEWAY_SECRET": "0123456789abcdef"}
ENVIRONMENT |= {"ADMIN_TOKEN": "fedcba9876543210", "WEBHOOK_SECRET": "w" * 24, "COLLECTOR_KEY": "k"}
SETTINGS = [(section, name) for section, (model, _) in SECTIONS.items() for name in model.model_fields]


@pytest.fixture
def example() -> str:
    return (ROOT / "config.example.yaml").read_text(encoding="utf-8")


@pytest.fixture
def uncommented(example: str) -> str:
    return re.sub(r"(?m)^(\s*)#(?=\S)", r"\1", example)


def test_the_example_as_it_is_changes_nothing(example: str) -> None:
    config = parse(example, "config.example.yaml", {})
    assert config.model_copy(update={"tiers": {}}) == Config()
    assert config.tiers == SHIPPED_TIERS


def test_the_example_with_everything_uncommented_is_usable(uncommented: str) -> None:
    config = parse(uncommented, "config.example.yaml", ENVIRONMENT)
    assert config.tenants["search"].keys == ("search-key",)
    assert set(config.models) == {"bge-m3", "text-embedding-3-small"}


@pytest.mark.parametrize(("section", "name"), SETTINGS, ids=".".join)
def test_the_example_shows_every_setting_and_why(section: str, name: str, example: str, uncommented: str) -> None:
    # Quoting the references is enough for a plain YAML reader here.
    data = yaml.safe_load(re.sub(r"(?<=: )\$\{\w+\}", "x", uncommented))[section]
    entries = list(data.values()) if SECTIONS[section][1] and isinstance(data, dict) else [data]
    entries = data if isinstance(data, list) else entries
    assert any(name in entry for entry in entries)
    assert re.search(rf"(?m)^\s*#?{name}: .* # \S", example)


def test_the_reference_is_what_the_schema_says() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert text.partition(START)[2].strip() == reference().strip()
    assert reference().count("\n| `") == len(SETTINGS)


def test_the_backends_page_shows_every_dialect_in_a_usable_configuration() -> None:
    page = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    keys = dict.fromkeys(("OPENAI_API_KEY", "AZURE_API_KEY", "COHERE_API_KEY"), "a-key")
    config = parse(page.partition("```yaml\n")[2].partition("```")[0], "backends.md", keys)
    assert {backend.dialect for backend in config.backends.values()} | {"jina"} == set(ABILITIES)
    assert all(f"| `{name}` |" in page for name in ABILITIES)

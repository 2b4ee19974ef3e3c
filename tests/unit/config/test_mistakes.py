"""P: each kind of mistake has an example file, and beside it exactly what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.parse import parse
from gateway.config.problem import ConfigError

ENVIRONMENT = {"SEARCH_KEY": "5ecret-search-key", "EMPTY": "", "TENANT": "x"}
SECRETS = ("5ecret-search-key", "c0nfidential", "s3cr3t-key-12345", "my-secret-value", "shop-key-1", "tooshort")
MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_named_with_line_key_and_remedy(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(path.read_text(encoding="utf-8"), "config.yaml", ENVIRONMENT)
    said = str(caught.value)
    assert said + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS if secret in said]


def test_there_are_examples_and_each_has_its_sentences() -> None:
    assert len(MISTAKES) > 30
    assert {path.stem for path in MISTAKES} == {path.stem for path in MISTAKES[0].parent.glob("*.txt")}

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.tokens import vocabularies
from gateway.tokens.vocabularies import NAMES, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = "def f():\n        return  1"

# Seen with another build of all six: the npm package tiktoken 1.0.22.
IDS = {
    "cl100k_base": [755, 282, 4019, 286, 471, 220, 220, 16],
    "o200k_base": [1314, 285, 8595, 309, 622, 220, 220, 16],
    "p50k_base": [4299, 277, 33529, 198, 50262, 1441, 220, 352],
    "r50k_base": [4299, 277, 33529, 198, 220, 220, 220, 220, 220, 220, 220, 1441, 220, 352],
}
IDS |= {"p50k_edit": IDS["p50k_base"], "gpt2": IDS["r50k_base"]}

SPECIALS = {
    "cl100k_base": 5,
    "o200k_base": 2,
    "p50k_base": 1,
    "r50k_base": 1,
    "p50k_edit": 4,
    "gpt2": 1,
}


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_the_tokenizers_own(name: str) -> None:
    found = vocabulary(name)
    assert found.encode(CODE) == IDS[name]
    assert b"".join(found.spell(token) for token in IDS[name]).decode() == CODE
    assert len(found.specials) == SPECIALS[name]
    assert found is vocabulary(name), "loaded once"


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = Path(vocabularies.__file__).with_name("r50k_base.gz")
    folder = tmp_path / "tokens"
    folder.mkdir()
    tokens = gzip.decompress(real.read_bytes())
    (folder / "r50k_base.gz").write_bytes(gzip.compress(tokens.replace(b"IQ==", b"IQ=="[::-1], 1)))
    monkeypatch.setattr(vocabularies, "files", lambda _: tmp_path)
    vocabulary.cache_clear()
    yield
    vocabulary.cache_clear()


@pytest.mark.usefixtures("damaged")
def test_a_damaged_file_is_noticed() -> None:
    with pytest.raises(ValueError, match="install the package again"):
        vocabulary("gpt2")


@pytest.mark.parametrize("unit", ["a", "\n", "🚀", "a. ", " ", "1", "検", "<|endoftext|>"])
@pytest.mark.parametrize("name", NAMES)
def test_hostile_texts_come_back_whole(name: str, unit: str) -> None:
    text = (unit * 65_536)[:65_536]
    found = vocabulary(name)
    assert b"".join(found.spell(token) for token in found.encode(text)).decode() == text

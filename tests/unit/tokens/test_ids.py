from __future__ import annotations

import pytest

from gateway.catalogue.model import Tokenizer
from gateway.tokens.ids import id_vocabulary

TEXT = "Don't panic: über 42 тексты, 日本語 🚀!"


@pytest.mark.parametrize("name", [Tokenizer.CL100K, Tokenizer.O200K, Tokenizer.QWEN35])
def test_byte_pairs_come_back_as_they_were(name: Tokenizer) -> None:
    vocabulary = id_vocabulary(name)
    assert vocabulary is not None
    assert vocabulary.decode(vocabulary.encode(TEXT)) == TEXT
    assert vocabulary.encode(TEXT) != []


def test_a_character_that_is_cut_in_two_is_replaced() -> None:
    vocabulary = id_vocabulary(Tokenizer.CL100K)
    assert vocabulary is not None
    rocket = vocabulary.encode("🚀")
    assert len(rocket) > 1
    assert vocabulary.decode(rocket[:-1]) == "\ufffd"


@pytest.mark.parametrize("name", [Tokenizer.CL100K, Tokenizer.MINILM])
@pytest.mark.parametrize("wrong", [-1, 300_000, 2**40, 2**70])
def test_an_id_that_does_not_exist(name: Tokenizer, wrong: int) -> None:
    vocabulary = id_vocabulary(name)
    assert vocabulary is not None
    with pytest.raises(ValueError, match="not in the vocabulary"):
        vocabulary.decode([15, wrong])


def test_word_pieces_are_lower_case_and_special_marks_are_left_out() -> None:
    vocabulary = id_vocabulary(Tokenizer.MINILM)
    assert vocabulary is not None
    ids = vocabulary.encode("The Harvest")
    assert vocabulary.decode([101, *ids, 102]) == "the harvest"
    assert {0, 101, 102} <= vocabulary.specials

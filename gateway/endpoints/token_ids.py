"""P: `input` as token ids, which OpenAI clients may send → the texts that they spell, so that they are one item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from gateway.endpoints.items import MAX_ERRORS
from gateway.errors import FieldError, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.catalogue.model import Model, Tokenizer
    from gateway.vocabulary import Json

_SAMPLED_INPUTS = 16
_SAMPLED_IDS = 64
_UNCUT = 56
"""Of sampled ids; the rest may be cut in the middle of a word, which would be spelt with other ids alone."""

_LONG = 500
"""Ids; what follows on more than so many may be the rest of the same text, which begins anywhere."""


class Spelling(Protocol):
    """A vocabulary, as `tokens.ids` gives it."""

    @property
    def encode(self) -> Callable[[str], list[int]]:
        """Text → ids."""
        ...

    @property
    def specials(self) -> frozenset[int]:
        """Ids of marks that `encode` makes of no text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Ids → text. Raises ValueError for an id that does not exist."""
        ...


Spellings: TypeAlias = "Callable[[Tokenizer], Spelling | None]"


def is_ids(value: Json) -> bool:
    """Whether an input is one list of ids, or a list of such."""
    if type(value) is not list or not value:
        return False
    rows = value if type(value[0]) is list else [value]
    return all(type(row) is list and row and all(type(number) is int for number in row) for row in rows)


def texts_of(value: list[Json], model: Model, spellings: Spellings, field: str = "input") -> list[str]:
    """The texts behind ids, by the vocabulary that `models.<name>.token_ids` names for the model.

    Nothing in a request says whose ids they are, and ids of another vocabulary spell nonsense that embeds as well as
    anything. So a few of them are spelt and encoded again: what the vocabulary's own tokenizer made comes out as it
    went in. Of ids of another one, half the texts of twenty tokens do so, too, hence nearly no list of several texts.

    Raises:
        GatewayError: INPUT_INVALID; no such id, or ids that this vocabulary's tokenizer would not have made.
    """
    rows = value if type(value[0]) is list else [value]
    spelling = spellings(model.token_ids)
    if spelling is None:
        raise invalid_request((_refusal(model, field, "is not installed"),))
    texts: list[str] = []
    wrong: list[FieldError] = []
    for position, ids in enumerate(rows):
        try:
            texts.append(spelling.decode(ids))
        except ValueError:
            wrong.append(_refusal(model, f"{field} -> {position}", "has not all of these token ids"))
            if len(wrong) == MAX_ERRORS:
                break
    if wrong:
        raise invalid_request(tuple(wrong))
    whole = [ids for before, ids in zip([[], *rows], rows, strict=False) if len(before) < _LONG]
    if not all(_comes_back(ids[:_SAMPLED_IDS], spelling) for ids in whole[:_SAMPLED_INPUTS]):
        raise invalid_request((_refusal(model, field, "would not make these token ids of any text"),))
    return texts


def _comes_back(sample: list[int], spelling: Spelling) -> bool:
    ids = [number for number in sample if number not in spelling.specials]
    again = spelling.encode(spelling.decode(ids))
    return again == ids if len(sample) < _SAMPLED_IDS else again[:_UNCUT] == ids[:_UNCUT]


def _refusal(model: Model, where: str, why: str) -> FieldError:
    message = (
        f"Vocabulary '{model.token_ids.value}' {why}: send texts (in langchain-openai: "
        f"check_embedding_ctx_length=False), or let the gateway's setting models.{model.name}.token_ids name the "
        "vocabulary that the client uses"
    )
    return FieldError(f"body -> {model.name} -> {where}", message, "token_ids_invalid")

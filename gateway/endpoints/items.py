"""P: inputs and documents as clients write them → items, with one clear complaint for each that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError, ValidationError

from gateway.endpoints.media import MediaError, read_media
from gateway.endpoints.spellings import contract_spelling
from gateway.vocabulary import Inline, Item, Json, Modality, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import ValidationInfo

    from gateway.catalogue.model import Model
    from gateway.vocabulary import Piece

MAX_ERRORS = 64
"""A reply names at most so many wrong fields; nobody reads more, and a body may hold a million."""

_EMPTY: dict[str, Json] = {"field_type": "List", "min_length": 1, "actual_length": 0}
_Location: TypeAlias = tuple[int | str, ...]


class _Refused(Exception):  # noqa: N818 - caught here, never seen by a caller
    """What is wrong with one item and where in it."""

    def __init__(self, reason: str | PydanticCustomError, value: Json, at: _Location = ()) -> None:
        super().__init__()
        self.reason = reason
        self.value = value
        self.at = at

    def line(self, before: _Location) -> InitErrorDetails:
        """The complaint as a line of a ValidationError; `before` is the item's place in the field."""
        context = _EMPTY if self.reason == "too_short" else {}
        return InitErrorDetails(type=self.reason, loc=(*before, *self.at), input=self.value, ctx=context)


def read_input(value: Json, info: ValidationInfo) -> tuple[Item, ...]:
    """The items in `input`: one string or object, or a non-empty list of them.

    A PDF comes alone and a group comes in a list (API contract); the model, given as validation context, decides
    which modalities there are.

    Raises:
        ValidationError: one line for each wrong item.
    """
    model = cast("Model", info.context)
    if type(value) is list:
        return _read_list(value, model.modalities - {Modality.PDF}, "input")
    if type(value) is str:
        return (Item.text(value),)
    accepted = model.modalities - {Modality.GROUP}
    try:
        return (_read_item(value, accepted, wanted=f"{_wanted(accepted)}, or a list of such"),)
    except _Refused as refused:
        raise _complaint("input", [(refused, ())]) from None


def read_documents(value: Json, info: ValidationInfo) -> tuple[Item, ...]:
    """The items in a rerank call's `documents`, a non-empty list of strings and objects.

    Raises:
        ValidationError: one line for each wrong item.
    """
    model = cast("Model", info.context)
    if type(value) is not list:
        raise PydanticKnownError("list_type")
    return _read_list(value, model.modalities, "documents")


def read_query(value: Json, _info: ValidationInfo) -> str:
    """A rerank call's `query`: a string (API contract) or `{"text": …}` (what older clients send).

    Raises:
        ValidationError: it is neither.
    """
    try:
        return _read_item(value, frozenset({Modality.TEXT})).parts[0].value
    except _Refused as refused:
        raise _complaint("query", [(refused, ())]) from None


def points_elsewhere(items: Iterable[Item]) -> bool:
    """Whether a part of any item is a URL, whose content may change while the item does not."""
    for item in items:
        if item.modality is Modality.TEXT:
            continue
        for part in item.parts:
            if part.modality is not Modality.TEXT and not isinstance(part, Inline):
                return True
    return False


def _read_list(values: list[Json], accepted: frozenset[Modality], field: str) -> tuple[Item, ...]:
    if not values:
        raise PydanticKnownError("too_short", _EMPTY)
    items: list[Item] = []
    refusals: list[tuple[_Refused, _Location]] = []
    text, made = Modality.TEXT, tuple.__new__
    for position, value in enumerate(values):
        if type(value) is str:
            items.append(made(Item, (text, (made(Part, (text, value)),))))  # Item.text at a third of its cost
            continue
        try:
            items.append(_read_item(value, accepted))
        except _Refused as refused:
            refusals.append((refused, (position,)))
            if len(refusals) == MAX_ERRORS:
                break
    if refusals:
        raise _complaint(field, refusals)
    return tuple(items)


def _read_item(value: Json, accepted: frozenset[Modality], wanted: str = "") -> Item:
    if isinstance(value, str):
        return Item.text(value)
    modality, content = _modality(value, accepted, wanted)
    if modality is Modality.GROUP:
        return Item(modality, _read_parts(content, accepted - {Modality.GROUP, Modality.PDF}))
    return Item(modality, (_part(content, modality),))


def _read_parts(content: Json, accepted: frozenset[Modality]) -> tuple[Piece, ...]:
    if not isinstance(content, list):
        raise _Refused("list_type", content, (Modality.GROUP.value,))
    if not content:
        raise _Refused("too_short", content, (Modality.GROUP.value,))
    parts = []
    for position, part in enumerate(content):
        try:
            modality, value = _modality(part, accepted, _wanted(accepted, plain=False))
            parts.append(_part(value, modality))
        except _Refused as refused:
            raise _Refused(refused.reason, refused.value, (Modality.GROUP.value, position, *refused.at)) from None
    return tuple(parts)


def _modality(value: Json, accepted: frozenset[Modality], wanted: str) -> tuple[Modality, Json]:
    """The one modality key of an object and its content; other keys, like `id`, are let through."""
    if isinstance(value, dict):
        spelled = contract_spelling(value)
        found = [modality for modality in Modality if modality in spelled]
        if len(found) == 1 and found[0] in accepted:
            return found[0], spelled[found[0]]
    message = "Input should be {wanted}"
    raise _Refused(PydanticCustomError("item_type", message, {"wanted": wanted or _wanted(accepted)}), value)


def _part(value: Json, modality: Modality) -> Piece:
    if not isinstance(value, str):
        raise _Refused("string_type", value, (modality.value,))
    if modality is Modality.TEXT:
        return Part(modality, value)
    try:
        return read_media(modality, value)
    except MediaError as error:
        raise _Refused(error.reason, value, (modality.value,)) from None


def _wanted(accepted: frozenset[Modality], *, plain: bool = True) -> str:
    """What is accepted, in words for the client."""
    keys = " or ".join(modality.value for modality in Modality if modality in accepted)
    return f"{'a string or ' if plain else ''}an object with one key of: {keys}"


def _complaint(field: str, refusals: Sequence[tuple[_Refused, _Location]]) -> ValidationError:
    return ValidationError.from_exception_data(field, [refused.line(place) for refused, place in refusals])

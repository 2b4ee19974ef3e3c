from __future__ import annotations

from dataclasses import FrozenInstanceError, asdict, dataclass, field, replace
from typing import Any

import pytest

from gateway import values
from gateway.values import value


@value(frozen=True, slots=True)
class Made:
    a: int
    b: str = "b"
    c: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Frozen:
    a: int
    b: str = "b"
    c: dict[str, int] = field(default_factory=dict, compare=False)


@value(frozen=True, slots=True, eq=False)
class Thing:
    a: int


def test_a_value_is_as_a_frozen_dataclass_is() -> None:
    one, same, other = Made(1), Made(1, "b", {"x": 1}), Made(2)
    assert (one == same, one == other, len({one, same, other})) == (True, False, 2)
    assert repr(one).removeprefix("Made") == repr(Frozen(1)).removeprefix("Frozen")
    assert asdict(replace(one, b="c")) == asdict(Frozen(1, "c"))
    assert hash(one) == hash(Frozen(1))
    with pytest.raises(AttributeError):
        one.d = 1  # type: ignore[attr-defined] # it has no such place


def test_a_thing_is_itself_alone() -> None:
    one, other = Thing(1), Thing(1)
    assert one != other
    assert len({one, other, one}) == 2


def test_type_checkers_forbid_to_change_it() -> None:
    Made(1).a = 2  # type: ignore[misc] # mypy, which tells of ignores that it does not need, is what keeps this
    with pytest.raises(FrozenInstanceError):
        Frozen(1).a = 2  # type: ignore[misc]


def test_whoever_wants_to_change_it_takes_a_dataclass() -> None:
    made: Any = values
    with pytest.raises(TypeError):
        made.value(frozen=False, slots=True)

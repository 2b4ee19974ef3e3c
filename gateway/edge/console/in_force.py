"""P: a configuration as lines to read: every setting by its path, secrets hidden."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import BaseModel

from gateway.config.addresses import address

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = "hidden"
NONE = "none"

_ADDRESS = re.compile(r"^[a-z0-9]+:/")


def lines(config: BaseModel) -> list[tuple[str, str]]:
    """Path and value of every setting. What the schema does not show (`repr=False`) is hidden where it is set."""
    return list(_of("", config))


def _of(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            inner = getattr(value, name)
            if not field.repr:
                yield _joined(path, name), HIDDEN if inner else NONE
            else:
                yield from _of(_joined(path, name), inner)
    elif isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _of(_joined(path, str(name)), inner)
    elif isinstance(value, tuple | list) and value:
        for position, inner in enumerate(value):
            yield from _of(_joined(path, str(position)), inner)
    else:
        yield path, _shown(value)


def _shown(value: object) -> str:
    if value is None or value in ((), [], {}):
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return address(text) if _ADDRESS.match(text) else text


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

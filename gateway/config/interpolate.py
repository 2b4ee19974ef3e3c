"""P: `${NAME}` references: hidden from the YAML parser, filled in scalar by scalar afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_BODY = re.compile(rf"({_NAME})(?::-(.*))?")
_REFERENCE = re.compile(rf"\$(?P<literal>\$\{{(?:{_NAME}(?::-[^{{}}\n]*)?\}})?)|\$\{{(?P<body>[^{{}}\n]*)\}}")
_PRIVATE_USE = range(0xF0000, 0xFFFFE)
_FORM = "write ${NAME} or ${NAME:-default}, or $${ for the two characters themselves"


@dataclass(frozen=True, slots=True)
class Expansion:
    """A scalar with its references filled in; `failures` are pairs of what is wrong and remedy."""

    text: str
    referenced: bool
    failures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Masked:
    """A YAML text whose references are `marker index marker`, so that their braces cannot break its structure."""

    text: str
    marker: str
    matches: tuple[re.Match[str], ...]

    def expand(self, scalar: str, environment: Mapping[str, str]) -> Expansion:
        """The scalar's value. An empty variable counts as unset, as `:-` does in a shell."""
        failures: list[tuple[str, str]] = []
        if "${" in scalar:
            failures.append(("`${` without an end, or with braces inside", _FORM))
        referenced = False

        def replace(found: re.Match[str]) -> str:
            nonlocal referenced
            match = self.matches[int(found[1])]
            if match["literal"] is not None:
                return match["literal"]
            referenced = True
            value, failure = _look_up(match["body"], environment)
            if failure:
                failures.append(failure)
            return value

        text = re.sub(f"{self.marker}(\\d+){self.marker}", replace, scalar)
        return Expansion(text, referenced, tuple(failures))


def mask(text: str) -> Masked:
    """Hide the references of a YAML text; lines stay where they are, comments need no care."""
    marker = next(chr(point) for point in _PRIVATE_USE if chr(point) not in text)
    matches = tuple(_REFERENCE.finditer(text))
    numbers = iter(range(len(matches)))
    return Masked(_REFERENCE.sub(lambda _: f"{marker}{next(numbers)}{marker}", text), marker, matches)


def _look_up(body: str, environment: Mapping[str, str]) -> tuple[str, tuple[str, str] | None]:
    form = _BODY.fullmatch(body)
    if form is None:
        return "", ("not a reference to a variable", _FORM)
    name, default = form[1], form[2]
    value = environment.get(name, "")
    if value:
        return value, None
    if default is not None:
        return default, None
    what = f"variable {name} is {'empty, which counts as not set' if name in environment else 'not set'}"
    return "", (what, f"set {name} in the environment, or write ${{{name}:-default}}")

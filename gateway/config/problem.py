"""P: what is wrong with a configuration, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path: TypeAlias = tuple[str | int, ...]
"""A setting's place: names and list positions, outermost first."""

_LISTED = 12
"""More names than this are not spelled out in a remedy."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake (or warning): `what` and `remedy` are sentences for people and never hold a setting's value."""

    source: str
    line: int | None
    key: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """`FILE:LINE: key: what; remedy`, leaving out what is not known."""
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return ": ".join(part for part in (place, self.key, f"{self.what}; {self.remedy}") if part)


class ConfigError(Exception):
    """A configuration cannot be used; `problems` says everything that was found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where each setting was written: `lines` are 1-based and keyed by path; no lines when there is no file."""

    source: str = "configuration"
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """The line of a setting, or of the nearest thing around it that was written."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def problem(self, path: Path, what: str, remedy: str) -> Problem:
        """A problem with the setting at that path."""
        return Problem(self.source, self.line(path), ".".join(map(str, path)), what, remedy)


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """A remedy for a wrong name: the one that was probably meant, or the names there are."""
    names = sorted(known)
    near = get_close_matches(wrong, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    if not names:
        return "there is none to name yet, so define it first"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"write one of {', '.join(names[:_LISTED])}{more}"

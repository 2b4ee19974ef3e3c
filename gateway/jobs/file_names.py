"""P: names of job files, the same rule for every store."""

from __future__ import annotations

import re

LONGEST = 512

_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_NAME = re.compile(rf"{_PART}(/{_PART})*")
_PREFIX = re.compile(rf"{_PART}(/{_PART})*/?")


def checked(name: str) -> str:
    """The name itself. Parts begin with no dot, so none leads anywhere else, and a store may keep drafts under a dot.

    Raises:
        ValueError: no name of a file. Names are made by us, so this is a defect, not a client's mistake.
    """
    return _checked(_NAME, name)


def checked_prefix(prefix: str) -> str:
    """The same for the beginning of names, which may end in a slash, and is not empty. Raises ValueError."""
    return _checked(_PREFIX, prefix)


def _checked(form: re.Pattern[str], text: str) -> str:
    if len(text) > LONGEST or not form.fullmatch(text):
        raise ValueError("not the name of a job file")
    return text

"""P: sources (ports.Sources) in an attribute."""

from __future__ import annotations


class FakeSources:
    """`exist` is None until somebody knows; another process may set it."""

    def __init__(self) -> None:
        self.exist: bool | None = None

    def may_exist(self, now: float) -> bool:  # noqa: ARG002 - the port's: nothing is old here
        return self.exist is not False

    def made(self) -> None:
        self.exist = True

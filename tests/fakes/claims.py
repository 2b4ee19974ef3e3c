"""P: claims (ports.Claims) in a dictionary on a virtual clock, beside a fake cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fakes.answers import FakeAnswers

    from gateway.vocabulary import Answer, ItemKey


class FakeClaims:
    """`down` makes every call fail."""

    def __init__(self, answers: FakeAnswers, monotonic: Callable[[], float], seconds: float = 10.0) -> None:
        self.down = False
        self.held: dict[bytes, tuple[str, float]] = {}
        self._answers = answers
        answers.stored = lambda address: self.held.pop(address, None)
        self._monotonic = monotonic
        self._seconds = seconds

    async def claim(self, keys: Sequence[ItemKey], token: str) -> list[Answer | bool]:
        self._check()
        return [found or self._take(key, token) for key, found in zip(keys, await self._answers.get(keys), strict=True)]

    async def renew(self, keys: Sequence[ItemKey], token: str) -> None:
        self._check()
        for key in keys:
            if self._owner(key) == token:
                self.held[key.address] = (token, self._monotonic() + self._seconds)

    async def release(self, keys: Sequence[ItemKey], token: str) -> None:
        self._check()
        for key in keys:
            if self._owner(key) == token:
                del self.held[key.address]

    def let_go(self, keys: Sequence[ItemKey], token: str) -> bool:
        for key in keys:
            if not self.down and self._owner(key) == token:
                del self.held[key.address]
        return True

    def _check(self) -> None:
        if self.down:
            raise StoreError("down")

    def _owner(self, key: ItemKey) -> str | None:
        owner, expiry = self.held.get(key.address, (None, 0.0))
        return owner if expiry > self._monotonic() else None

    def _take(self, key: ItemKey, token: str) -> bool:
        if self._owner(key) is not None:
            return False
        self.held[key.address] = (token, self._monotonic() + self._seconds)
        return True

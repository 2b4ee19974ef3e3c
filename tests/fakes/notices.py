"""P: notices (ports.Notices) in memory, which can be away, and a receiver (ports.Post) that answers as scripted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gateway.errors import StoreError, TransportError
from gateway.ports import DeadNotice, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CLAIM_SECONDS = 35 * 86_400
DEAD_KEPT = 1_000


@dataclass
class FakeNotices:
    """`down` makes every call fail; `due` are ids by when they are due."""

    now: Callable[[], float]
    down: bool = False
    kept: dict[str, Notice] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    claims: dict[str, float] = field(default_factory=dict)
    letters: list[DeadNotice] = field(default_factory=list)

    async def post(self, claim: str, ends: int | None, notices: Sequence[Notice]) -> bool:
        self._check()
        self.claims = {name: until for name, until in self.claims.items() if until >= self.now()}
        if claim in self.claims:
            return False
        self.claims[claim] = float("inf") if ends is None else ends + CLAIM_SECONDS
        for notice in notices:
            self.kept[notice.id] = notice
            self.due[notice.id] = self.now()
        return True

    async def take(self, lease_seconds: float) -> Notice | None:
        self._check()
        name = min(self.due, key=lambda name: (self.due[name], name), default=None)
        if name is None or self.due[name] > self.now():
            return None
        self.due[name] = self.now() + lease_seconds
        self.kept[name] = replace(self.kept[name], tries=self.kept[name].tries + 1)
        return self.kept[name]

    async def put_off(self, notice: Notice, seconds: float) -> bool:
        self._check()
        if notice.id not in self.due:
            return False
        self.due[notice.id] = self.now() + seconds
        return True

    async def end(self, notice: Notice, why: str = "") -> bool:
        self._check()
        if self.due.pop(notice.id, None) is None:
            return False
        ended = self.kept.pop(notice.id)
        if why:
            self.letters = [DeadNotice(ended, int(self.now()), why), *self.letters][:DEAD_KEPT]
        return True

    async def dead(self) -> list[DeadNotice]:
        self._check()
        return list(self.letters)

    async def revive(self) -> int:
        self._check()
        letters, self.letters = self.letters, []
        for letter in letters:
            self.kept[letter.notice.id] = replace(letter.notice, tries=0)
            self.due[letter.notice.id] = self.now()
        return len(letters)

    def _check(self) -> None:
        if self.down:
            raise StoreError("down")


@dataclass
class FakePost:
    """Answers `statuses` in turn, then 204; 0 is no answer at all. `got` are url, body, headers of all posts."""

    statuses: deque[int] = field(default_factory=deque)
    got: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float) -> int:
        assert timeout_seconds == 10
        self.got.append((url, body, headers))
        status = self.statuses.popleft() if self.statuses else 204
        if not status:
            raise TransportError("scripted")
        return status

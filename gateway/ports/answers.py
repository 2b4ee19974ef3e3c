"""P: what the cache needs of a store: answers, votes, claims, a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.vocabulary import Answer, ItemKey


class AnswerStore(Protocol):
    """The cache. A failing cache never fails a request: `get` answers misses, `put` drops; both count it."""

    async def get(self, keys: Sequence[ItemKey]) -> list[Answer | None]:
        """The answer for each key, None where there is none or where the stored proof differs from the key's."""
        ...

    def fetch(self, keys: Sequence[ItemKey], done: Callable[[list[Answer | None]], None]) -> None:
        """As `get`, for who is called back: `done` is called once, later, from the event loop; nothing is raised."""
        ...

    async def put(self, entries: Sequence[tuple[ItemKey, Answer]]) -> None:
        """Remember answers for the configured time. A claim on an answer ends as it is stored."""
        ...

    def keep(self, entries: Sequence[tuple[ItemKey, Answer]]) -> bool:
        """As `put`, and nobody waits: it is done before whatever claims are made or given back later.

        Where that cannot be said, False: then nothing was done.
        """
        ...


class Sources(Protocol):
    """Whether answers are about from which others follow (plan.derive), so that looking for them is worth it."""

    def may_exist(self, now: float) -> bool:
        """Whether any may be stored; `now` is in monotonic seconds.

        What this process stores is known at once, what another stores a second later. True where it is not known.
        """
        ...

    def made(self) -> None:
        """Some are about to be stored."""
        ...


class Votes(Protocol):
    """Who has computed what, so that an answer is shared once enough have. A failing store counts nobody."""

    async def cast(self, subjects: Sequence[bytes], voter: bytes) -> list[int]:
        """Count `voter` for each subject, once; how many different voters each has had lately."""
        ...


class Trace(Protocol):
    """Remembers a sample of what the cache was asked."""

    def sampled(self, keys: Sequence[ItemKey]) -> tuple[ItemKey, ...]:
        """Those that are in the sample, each once: `seen` of the others does nothing."""
        ...

    def seen(self, keys: Sequence[ItemKey]) -> None:
        """These were asked for now; nobody waits."""
        ...


class Claims(Protocol):
    """Who computes what, between processes. Every method raises StoreError when the store cannot answer.

    A claim belongs to a token and ends as the answer is stored, or by itself after the configured seconds unless
    renewed, so that the work of a filler that died is taken over.
    """

    async def claim(self, keys: Sequence[ItemKey], token: str) -> list[Answer | bool]:
        """For each key: the answer if it is stored by now, True if it is ours to compute, False if another's."""
        ...

    async def renew(self, keys: Sequence[ItemKey], token: str) -> None:
        """Keep what is still ours for another claim time."""
        ...

    async def release(self, keys: Sequence[ItemKey], token: str) -> None:
        """Give back what is still ours; what is stored by now stays."""
        ...

    def let_go(self, keys: Sequence[ItemKey], token: str) -> bool:
        """As `release`, and nobody waits or hears of a failure: it is done after what was claimed and kept before.

        Where that cannot be said, False: then nothing was done.
        """
        ...

"""C: scope `shared`: an answer is other orgs' too once enough orgs have each had it computed."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from gateway.plan.origin import origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.ports import AnswerStore, Votes
    from gateway.vocabulary import Answer, ItemKey

_PURPOSE = b"gw-voter"
_VOTER_BYTES = 8


def voter(org: str, secret: bytes) -> bytes:
    """An org as the store sees it: told apart, not named."""
    return blake2b(org.encode(), digest_size=_VOTER_BYTES, key=secret[:64], person=_PURPOSE).digest()


class Promotion:
    """Counts who computed what, and puts what enough have computed where everybody looks.

    What only few know stays theirs: a text that no two others have asked for is never answered from somebody else's
    call, so nobody learns that it was asked (k-anonymity; see docs/cache.md for what remains).
    """

    def __init__(self, store: AnswerStore, votes: Votes) -> None:
        self._store = store
        self._votes = votes

    async def computed(
        self, fresh: Mapping[ItemKey, Answer], model: str, org: str, secret: bytes, promote_after: int
    ) -> None:
        """An org paid for these; `fresh` is by key in the shared scope."""
        keys = list(fresh)
        counts = await self._votes.cast([key.proof for key in keys], voter(org, secret))
        nobodys = origin(model, None)
        promoted = [
            (key, replace(fresh[key], origin=nobodys))
            for key, count in zip(keys, counts, strict=True)
            if count >= promote_after
        ]
        if promoted:
            await self._store.put(promoted)

"""E: the Lua scripts, one a file; `ring.lua` and `holds.lua` are put in front of those that use them."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from gateway.stores.redis.client import MissingScriptError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.stores.redis.client import Line


class Script:
    """One script of this folder with what it builds on; run by digest, loaded again when the server forgot it."""

    def __init__(self, *parts: str) -> None:
        folder = files(__name__)
        self.text = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)
        self._sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, line: Line, keys: Sequence[str | bytes], arguments: Sequence[str | int | bytes]) -> Any:  # noqa: ANN401 - each script has its own reply
        """The script's reply. A missing script did not run, so asking again is safe. Raises StoreError.

        EVAL loads it where its keys are, which on a cluster may be another server by now.
        """
        try:
            return await line.ask("EVALSHA", self._sha, len(keys), *keys, *arguments)
        except MissingScriptError:
            return await line.ask("EVAL", self.text, len(keys), *keys, *arguments)

    def start(self, line: Line, keys: Sequence[str | bytes], arguments: Sequence[str | int | bytes]) -> None:
        """As `run`, in the line's order, where nobody waits for the reply or hears of a failure."""

        def answered(reply: object) -> None:
            if isinstance(reply, MissingScriptError):
                line.send(("EVAL", self.text, len(keys), *keys, *arguments), _ignore, ordered=True)

        line.send(("EVALSHA", self._sha, len(keys), *keys, *arguments), answered, ordered=True)


def _ignore(_reply: object) -> None:
    """Nobody waits for it."""

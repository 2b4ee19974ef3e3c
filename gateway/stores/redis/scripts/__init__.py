"""E: the Lua scripts, one a file; `ring.lua` and `holds.lua` are put in front of those that use them."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from gateway.errors import StoreError
from gateway.stores.redis.failures import MissingScriptError
from gateway.stores.redis.many import unfailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

    async def run_each(
        self, line: Line, several: Sequence[Sequence[str | bytes]], arguments: Sequence[str | int | bytes]
    ) -> None:
        """Run it for several groups of keys, side by side. Raises the first StoreError, when all have ended."""
        replies = await line.queue_all([("EVALSHA", self._sha, len(keys), *keys, *arguments) for keys in several])
        again = [keys for keys, reply in zip(several, replies, strict=True) if isinstance(reply, MissingScriptError)]
        unfailed([reply for reply in replies if not isinstance(reply, MissingScriptError)])
        unfailed(await line.queue_all([("EVAL", self.text, len(keys), *keys, *arguments) for keys in again]))

    def start(
        self,
        line: Line,
        keys: Sequence[str | bytes],
        arguments: Sequence[str | int | bytes],
        failed: Callable[[], None],
    ) -> None:
        """As `run`, in the line's order, where nobody waits for the reply; `failed` is called where there is none."""

        def ended(reply: object) -> None:
            if isinstance(reply, StoreError):
                failed()

        def answered(reply: object) -> None:
            if isinstance(reply, MissingScriptError):
                line.send(("EVAL", self.text, len(keys), *keys, *arguments), ended, ordered=True)
            else:
                ended(reply)

        line.send(("EVALSHA", self._sha, len(keys), *keys, *arguments), answered, ordered=True)

"""P: a completion on its way to the client: its usage is read, and what only we asked for is taken out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.endpoints.events import Events, json_data
from gateway.endpoints.passing import estimated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.vocabulary import Json

_SAID = ("content", "reasoning_content", "reasoning", "refusal")


class ChatGauge:
    """passing.Gauge of one completion. `hides_usage`: the client did not ask a stream for its usage, we did.

    `prompt` is what the backend counted of the prompt alone.
    """

    def __init__(self, *, hides_usage: bool) -> None:
        self.failed = False
        self.counted: int | None = None
        self.prompt: int | None = None
        self._hides_usage = hides_usage
        self._events = Events()
        self._written = 0

    @property
    def estimate(self) -> int:
        """Tokens of what was said so far."""
        return estimated(self._written)

    def take(self, piece: bytes) -> bytes:
        """Whole events, as they came; a usage that the client did not ask for is left out."""
        try:
            events = self._events.take(piece)
        except ValueError:
            self.failed = True
            return b""
        return b"".join([event for event in events if not self.failed and self._passes(event)])

    def end(self) -> bytes:
        """An event without an end is none, and no client would take it for one."""
        return b"" if self.failed else self._events.rest()

    def whole(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """A completion that came in one piece is an object of JSON."""
        del headers
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(content, dict) or content.get("error"):
            return False
        self._count(content.get("usage"))
        self._listen(content, "message")
        return True

    def _passes(self, event: bytes) -> bool:
        content = json_data(event)
        if not isinstance(content, dict):
            return True
        choices = content.get("choices")
        if content.get("error") and not choices:
            self.failed = True
            return False
        usage = content.get("usage")
        self._count(usage)
        self._listen(content, "delta")
        return not (self._hides_usage and usage and choices == [])

    def _count(self, usage: Json) -> None:
        if not isinstance(usage, dict):
            return
        prompt, completion, total = (_count_of(usage.get(f"{n}_tokens")) for n in ("prompt", "completion", "total"))
        self.prompt = self.prompt if prompt is None else prompt
        if total is None and prompt is not None and completion is not None:
            total = prompt + completion
        self.counted = self.counted if total is None else total

    def _listen(self, content: dict[str, Json], part: str) -> None:
        """How much was said, in bytes."""
        choices = content.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            said = choice.get(part) if isinstance(choice, dict) else None
            if not isinstance(said, dict):
                continue
            for name in _SAID:
                if isinstance(text := said.get(name), str):
                    self._written += len(text.encode("utf-8", "surrogatepass"))
            if said.get("tool_calls"):
                self._written += len(orjson.dumps(said["tool_calls"]))


def _count_of(value: Json) -> int | None:
    return value if type(value) is int and value >= 0 else None

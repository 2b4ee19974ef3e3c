"""E: failures of the store's commands, as callers hear of them."""

from __future__ import annotations

from redis.exceptions import NoScriptError

from gateway.errors import StoreError
from gateway.stores.redis.wire import LateError, LostError


class MissingScriptError(StoreError):
    """The server does not know a script's digest (any more); nothing ran."""


def told(error: Exception) -> StoreError:
    """A failure without the server's own sentence, which may quote input."""
    if isinstance(error, (NoScriptError, MissingScriptError)):
        return MissingScriptError(type(error).__name__)
    return StoreError(str(error) if isinstance(error, (StoreError, LostError, LateError)) else type(error).__name__)

"""P: the reader's request headers: which of them go along, and which keep an answer from being stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.endpoints.service_addresses import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.vocabulary import Json

_OPTIONS = (
    *("engine", "timeout", "target-selector", "wait-for-selector", "remove-selector", "remove-overlay", "base"),
    *("with-links-summary", "with-images-summary", "with-generated-alt", "with-iframe", "with-shadow-dom"),
    *("no-cache", "cache-tolerance", "return-format", "respond-with", "respond-timing", "markdown-chunking"),
    *("token-budget", "max-tokens", "retain-images", "retain-links", "keep-img-data-url", "no-gfm", "robots-txt"),
    *("set-cookie", "proxy", "proxy-url", "locale", "referer", "user-agent", "site"),
)
DECLARED: Final = frozenset({"accept", "dnt", *(f"x-{option}" for option in _OPTIONS)})
"""Request headers that the reader declares; they go along, and tell its answers apart. `x-md-*` are declared, too."""

_MARKDOWN = "x-md-"
_NOT_STORED = ("x-set-cookie", "x-no-cache")
_NOT_STORED_FIELDS = frozenset({"setcookie", "setcookies", "nocache"})


def declared(headers: Mapping[str, str]) -> dict[str, str]:
    """Those that go along, of headers in lower case."""
    return {name: value for name, value in headers.items() if name in DECLARED or name.startswith(_MARKDOWN)}


def storable(headers: Mapping[str, str], fields: Mapping[str, Json]) -> bool:
    """Whether an answer may be given to a later call, by what this one says."""
    if any(name in headers for name in _NOT_STORED) or headers.get("dnt") == "1":
        return False
    if "text/event-stream" in headers.get("accept", "").lower():
        return False
    return not _NOT_STORED_FIELDS.intersection(plain(name) for name, value in fields.items() if value)

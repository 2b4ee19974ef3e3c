"""P: addresses as the configuration has them, and the one of the store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.problem import Origin, Problem
    from gateway.config.schema import Config

_STORE_SCHEMES = ("redis", "rediss", "unix")


def is_address(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether a URL has one of the schemes and names a host, or a path where the scheme is `unix`."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.path if parts.scheme == "unix" else parts.hostname)


def address(url: str) -> str:
    """A URL without user, password and query, which may be secret."""
    # Greedy on purpose: an unescaped / ? or # in a password must not bring part of it to the screen.
    return re.split("[?#]", re.sub(r"^([a-z]+:/*).*@", r"\1", url))[0]


def store_problems(config: Config, origin: Origin) -> Iterator[Problem]:
    """What is wrong with where the store is."""
    url = config.store.url
    if url is not None and not is_address(url, _STORE_SCHEMES):
        remedy = "write redis://host:6379/0, rediss://host:6379/0 or unix:///path/to.sock"
        yield origin.problem(("store", "url"), "not the address of a store", remedy)
    elif config.store.cluster:
        yield from _cluster(url, origin)


def _cluster(url: str | None, origin: Origin) -> Iterator[Problem]:
    where, remedy = ("store", "cluster"), "write `url: redis://host:6379`, the address of one node"
    if url is None:
        yield origin.problem(where, "the private store is no cluster", f"{remedy}, or `cluster: false`")
        return
    parts = urlsplit(url)
    databases = [parts.path.strip("/"), *parse_qs(parts.query).get("db", [])]
    if parts.scheme == "unix":
        yield origin.problem(where, "no node of a cluster is on a unix socket", remedy)
    elif any(number not in {"", "0"} for number in databases):
        yield origin.problem(("store", "url"), "a cluster has no numbered databases", remedy)

"""P: whose address a request came from, behind proxies that are known."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Network

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

_HOST_BITS = 64


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The last address in the chain that no trusted proxy vouches for.

    `peer` is the connection's, `forwarded` the `X-Forwarded-For` header: each proxy adds the address that it saw at
    the end, so only what trusted ones added counts, and a client cannot choose its address. An IPv6 host owns a whole
    /64, which counts as one address.
    """
    if not (forwarded and trusted):
        return _alone(peer)
    address = _parsed(peer)
    if address is None:
        return peer
    for entry in reversed(forwarded.split(",")):
        if not any(address in network for network in trusted):
            break
        before = _parsed(entry.strip())
        if before is None:
            break
        address = before
    return _counted(address)


@lru_cache(maxsize=4_096)
def _alone(peer: str) -> str:
    """The address of a connection that no proxy is behind; one client makes many calls."""
    address = _parsed(peer)
    return peer if address is None else _counted(address)


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _counted(address: Address) -> str:
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS)}/{_HOST_BITS}"
    return str(address)

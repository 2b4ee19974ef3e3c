"""P: which addresses a client may send us to: public ones, private networks and buckets that the operator names."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, TypeAlias

from yarl import URL

from gateway.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

Networks: TypeAlias = "Sequence[IPv4Network | IPv6Network]"

SCHEMES = frozenset({"http", "https"})
STORAGE = frozenset({"s3", "gs"})
PORTS = frozenset({80, 443, 8443})
LONGEST_URL = 2_048

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
"""Two parsers may differ on these, and the one that checks is then not the one that connects."""

_NUMBER = re.compile(r"(?:^|\.)(?:0x[0-9a-f]*|[0-9]+)$")
"""A host whose last label is a number is an IPv4 address in some spelling (WHATWG URL, "ends in a number")."""

_INSIDE = re.compile(
    r"(?:^|\.)(?:localhost|localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa|test|invalid|onion|alt)$"
)
"""Names that never are public: RFC 6761, 6762, 7686, 8375, 9476, ICANN's `internal`, and what networks at home use."""

_OBJECT = re.compile(r"(?P<scheme>s3|gs)://(?P<path>[a-z0-9][a-z0-9._-]{1,220}(?:/[^/\x00-\x1f\x7f\\?#*\[\]]+)+)")
"""A bucket and a key of parts that are not empty; without signs that a library may take for a pattern or a version."""

_SPECIAL_4 = tuple(
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # public by its number, but what a machine in Azure has its secrets from
    )
)
"""The IANA registry of special-purpose addresses (RFC 6890), multicast and reserved; our own list, because those of
`ipaddress` differ by the version of Python."""

_PUBLIC_6 = ip_network("2000::/3")
_SPECIAL_6 = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")))
"""Within what is public: protocol assignments with Teredo, documentation, 6to4, AS112. The rest of IPv6 is special."""

_NAT64 = ip_network("64:ff9b::/96")


def check_url(text: str, networks: Networks = (), schemes: frozenset[str] = SCHEMES) -> URL:
    """The address in a text that a client sent, as far as it can be judged before its name is looked up.

    Whoever connects must check each peer, too (`check_peer`): a name may lead anywhere, and elsewhere the next time.
    Names of private places are refused here, unless the operator names private `networks`.

    Raises:
        AddressError: it leads nowhere that a client may send us.
    """
    if len(text) > LONGEST_URL or _UNSAFE.search(text):
        raise AddressError("is no address, or one of more than 2,048 characters")
    try:
        url = URL(text)
        host, port = (url.raw_host or "").rstrip(".").lower(), url.port
    except ValueError:
        raise AddressError("is no address") from None
    if url.scheme not in schemes or not host:
        raise AddressError(f"must begin with {' or '.join(f'{scheme}://' for scheme in sorted(schemes))} and a host")
    if url.raw_user is not None or url.raw_password is not None:
        raise AddressError("must have no user name or password")
    try:
        literal = ip_address(host)
    except ValueError:
        _check_name(host, port, networks)
    else:
        check_peer(str(literal), port or 0, networks)
    return url.with_fragment(None)


def check_posted(text: str, networks: Networks = ()) -> URL:
    """The same for an address that is told something: https, unless the operator names private `networks`."""
    return check_url(text, networks, SCHEMES if networks else frozenset({"https"}))


def is_storage(url: str) -> bool:
    """Whether it is meant to be an address in object storage, in whatever spelling."""
    return url.partition("://")[0].lower() in STORAGE


def check_object(url: str, allowed: Sequence[str]) -> tuple[str, str]:
    """Scheme and `bucket/key` of an object that a client named.

    It is read with our credentials, so only where the operator allows it: below a place in `allowed`, which ends in a
    slash.

    Raises:
        AddressError: it is in no such place, or no address of an object.
    """
    found = _OBJECT.fullmatch(url) if len(url) <= LONGEST_URL else None
    if found is None or not {".", ".."}.isdisjoint(url.split("/")):
        raise AddressError("names no object; write s3://bucket/key or gs://bucket/key")
    if not any(url.startswith(place) for place in allowed):
        raise AddressError("is in no bucket that this gateway is allowed to read for its clients")
    return found["scheme"], found["path"]


def check_peer(address: str, port: int, networks: Networks = ()) -> None:
    """Whether to connect to an IP address and port; in `networks` any port will do.

    An IPv4 address within an IPv6 one (mapped, NAT64) is what counts.

    Raises:
        AddressError: not there. The text does not tell what is there.
    """
    plain, _, zone = address.partition("%")
    peer = _inner(ip_address(plain))
    if any(peer in network for network in networks):
        return
    if zone or _is_special(peer):
        raise AddressError("leads to no public address")
    if port not in PORTS:
        raise AddressError("has a port that is not 80, 443 or 8443")


def _check_name(host: str, port: int | None, networks: Networks) -> None:
    if _NUMBER.search(host):
        raise AddressError("has an IP address in another spelling than a.b.c.d")
    if networks:
        return
    if "." not in host or _INSIDE.search(host):
        raise AddressError("leads to no public address")
    if port not in PORTS:
        raise AddressError("has a port that is not 80, 443 or 8443")


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def _is_special(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _SPECIAL_4)
    return address not in _PUBLIC_6 or any(address in network for network in _SPECIAL_6)

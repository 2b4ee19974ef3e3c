"""P: addresses that a service is asked to go to: it may stand where clients may not reach, so each is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from yarl import URL

from gateway.errors import AddressError, FieldError, invalid_request
from gateway.guard import check_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.guard import Networks
    from gateway.vocabulary import Json

_LONGEST = 8_192
_UNSAFE = frozenset("\\\t\r\n")


def plain(name: str) -> str:
    """A field's name in any spelling: `proxyUrl`, `proxy_url`, `proxy-url` are one."""
    return name.replace("_", "").replace("-", "").lower()


def check_addresses(
    target: str, headers: Mapping[str, str], fields: Mapping[str, Json], networks: Networks, *, reads: bool
) -> None:
    """Judge each address that the service would go to; `reads`: the path and `url` name one.

    Raises:
        GatewayError: INPUT_INVALID, naming the place.
    """
    named: list[tuple[str, Json]] = [("header -> X-Proxy-Url", headers.get("x-proxy-url"))]
    if reads:
        named.append(("path", target.removeprefix("/") or None))
    for name, value in fields.items():
        if plain(name) == "proxyurl" or (reads and plain(name) == "url"):
            named.append((f"body -> {name[:200]}", value))
    for field, value in named:
        if value is not None:
            _check(value, field, networks)


def _check(value: Json, field: str, networks: Networks) -> None:
    try:
        if not isinstance(value, str):
            raise AddressError("is no text")
        check_url(_host(value), networks)
    except (AddressError, ValueError) as error:
        text = str(error) if isinstance(error, AddressError) else "is no address"
        raise invalid_request((FieldError(field, f"The address {text}", "url_forbidden"),)) from None


def _host(value: str) -> str:
    """The address of the host alone, which is all that tells whose machine it is: another goes to port and path."""
    text = value.strip()
    if "://" not in text and "%3a" in text.lower():
        text = unquote(text)
    if "://" not in text:
        text = f"https://{text}"
    if _UNSAFE.intersection(text) or len(text) > _LONGEST:
        raise AddressError("has characters that no address has")
    host = URL(text, encoded=True).raw_host or ""
    return f"https://[{host}]/" if ":" in host else f"https://{unquote(host)}/"

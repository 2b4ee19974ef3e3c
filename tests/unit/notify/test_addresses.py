from __future__ import annotations

import base64

from gateway.notify.addresses import ClientAddresses, Destination, shown_key, tenant_key
from gateway.ports import Notice

SECRET = b"s" * 32


def test_a_tenants_key_depends_on_the_tenant_and_on_the_gateways_secret() -> None:
    keys = {tenant_key(tenant, secret) for tenant in ("shop", "other") for secret in (SECRET, b"t" * 32, b"")}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}
    assert tenant_key("shop", SECRET) == tenant_key("shop", SECRET)
    assert tenant_key("shop", b"x" * 64 + b"y") == tenant_key("shop", b"x" * 64)


def test_it_is_shown_as_libraries_take_it() -> None:
    prefix, _, text = shown_key(tenant_key("shop", SECRET)).partition("_")
    assert (prefix, base64.b64decode(text)) == ("whsec", tenant_key("shop", SECRET))


def test_a_destination_shows_neither_address_nor_key() -> None:
    notice = Notice("msg_1", "https://shop.example/token", "{}", tenant="shop")
    found = ClientAddresses(SECRET).find(notice)
    assert found == Destination("https://shop.example/token", tenant_key("shop", SECRET))
    assert repr(found) == "Destination()"

"""P: keys that one script touches live in one Redis Cluster slot, and no two names are the same."""

from __future__ import annotations

import re

import pytest

from gateway.stores.redis.keys import Keys

KEYS = Keys("gw")


@pytest.mark.parametrize("names", [KEYS.quota("search"), KEYS.allowance("search")], ids=["quota", "allowance"])
def test_keys_of_one_script_share_a_tag(names: tuple[str, ...]) -> None:
    assert {re.findall(r"\{(.*?)\}", name)[0] for name in names} == {"search"}
    assert len(set(names)) == len(names)


def test_keys_of_notices_share_a_tag() -> None:
    assert {re.findall(r"\{(.*?)\}", name)[0] for name in KEYS.notices} == {"notices"}
    assert len(set(KEYS.notices)) == 5


def test_what_a_tenant_and_an_upstream_key_of_one_name_hold_is_kept_apart() -> None:
    assert not set(KEYS.quota("a")) & set(KEYS.allowance("a"))

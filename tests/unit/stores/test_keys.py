"""P: keys that one script touches live in one Redis Cluster slot, and no two names are the same."""

from __future__ import annotations

import re

from gateway.stores.redis.keys import Keys

KEYS = Keys("gw")


def test_keys_of_one_script_share_a_tag() -> None:
    names = KEYS.quota("search")
    assert {re.findall(r"\{(.*?)\}", name)[0] for name in names} == {"search"}
    assert len(set(names)) == len(names)


def test_keys_of_notices_share_a_tag() -> None:
    assert {re.findall(r"\{(.*?)\}", name)[0] for name in KEYS.notices} == {"notices"}
    assert len(set(KEYS.notices)) == 5


def test_a_tenants_classifiers_share_its_tag_and_their_owners_spread() -> None:
    names = [KEYS.classifiers("a"), KEYS.classifier("a", "c"), KEYS.classifier_lock("a", "c")]
    assert {re.findall(r"\{(.*?)\}", name)[0] for name in names} == {"a"}
    assert len({*names, KEYS.classifier("a", "d"), KEYS.classifier_owner("c")}) == 5
    assert "{" not in KEYS.classifier_owner("c")

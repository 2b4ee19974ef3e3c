from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from itertools import combinations

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from gateway.plan.cache_key import (
    AT_ONCE,
    MUCH,
    KeyMaker,
    job_record,
    key_maker,
    keys_of,
    narrower,
    scope_name,
    unit_record,
)
from gateway.vocabulary import CacheScope, Caller, Inline, Item, ItemKey, Job, Limits, Modality, Part, Shape

SECRET = b"s" * 32
LIMITS = Limits(None, None, None)


def caller(scope: CacheScope = CacheScope.ORG, tenant: str = "search", org: str = "acme") -> Caller:
    return Caller(tenant, org, "free", "k", LIMITS, scope)


def job(**changes: object) -> Job:
    base = Job(
        endpoint="embeddings",
        model="m",
        revision="r1",
        units=((Item.text("a"),),),
        shape=Shape.DENSE,
        parameters=(("task", "retrieval.query"),),
        presentation=None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


DIFFERENT = {
    "base": job(),
    "endpoint": job(endpoint="rerank"),
    "model": job(model="m2"),
    "revision": job(revision="r2"),
    "shape": job(shape=Shape.MULTI),
    "passage": job(parameters=(("task", "retrieval.passage"),)),
    "no task": job(parameters=()),
    "flag": job(parameters=(("task", "retrieval.query"), ("truncate", True))),
    "number one": job(parameters=(("task", "retrieval.query"), ("truncate", 1))),
    "string true": job(parameters=(("task", "retrieval.query"), ("truncate", "True"))),
    "query": job(query="q"),
    "empty query": job(query=""),
    "text": job(units=((Item.text("b"),),)),
    "image": job(units=((Item(Modality.IMAGE, (Part(Modality.IMAGE, "a"),)),),)),
    "bytes": job(units=((Item(Modality.IMAGE, (Inline(Modality.IMAGE, "YQ==", b"a" * 32),)),),)),
    "other bytes": job(units=((Item(Modality.IMAGE, (Inline(Modality.IMAGE, "YQ==", b"b" * 32),)),),)),
    "bytes of a sound": job(units=((Item(Modality.AUDIO, (Inline(Modality.AUDIO, "YQ==", b"a" * 32),)),),)),
    "digest as a url": job(units=((Item(Modality.IMAGE, (Part(Modality.IMAGE, "a" * 32),)),),)),
    "group": job(units=((Item(Modality.GROUP, (Part(Modality.TEXT, "a"),)),),)),
    "group of two": job(units=((Item(Modality.GROUP, (Part(Modality.TEXT, "a"), Part(Modality.TEXT, "b"))),),)),
    "group turned": job(units=((Item(Modality.GROUP, (Part(Modality.TEXT, "b"), Part(Modality.TEXT, "a"))),),)),
    "whole": job(units=((Item.text("a"), Item.text("b")),), whole=True),
    "whole turned": job(units=((Item.text("b"), Item.text("a")),), whole=True),
    "whole joined": job(units=((Item.text("ab"),),), whole=True),
}


@pytest.mark.parametrize(("left", "right"), list(combinations(DIFFERENT, 2)))
def test_whatever_changes_the_answer_changes_the_key(left: str, right: str) -> None:
    one, other = (keys_of(DIFFERENT[name], caller(), SECRET)[0] for name in (left, right))
    assert one.address != other.address
    assert one.proof != other.proof


def test_presentation_is_no_part_of_the_identity() -> None:
    assert keys_of(job(), caller(), SECRET) == keys_of(job(presentation="base64, 256"), caller(), SECRET)


SCOPES = [
    (caller(), caller(tenant="other"), True),
    (caller(), caller(org="other"), False),
    (caller(CacheScope.TENANT), caller(CacheScope.TENANT, tenant="other"), False),
    (caller(CacheScope.SHARED), caller(CacheScope.SHARED, org="other"), True),
    (caller(CacheScope.SHARED), caller(CacheScope.ORG), False),
    (caller(CacheScope.TENANT, tenant="x"), caller(CacheScope.ORG, org="x"), False),
    (caller(org="shared"), caller(CacheScope.SHARED), False),
]


@pytest.mark.parametrize(("left", "right", "same"), SCOPES)
def test_a_scope_sees_only_its_own_entries(left: Caller, right: Caller, same: bool) -> None:  # noqa: FBT001 - a table
    assert (keys_of(job(), left, SECRET) == keys_of(job(), right, SECRET)) is same
    assert (scope_name(left) == scope_name(right)) is same


def test_without_the_secret_nobody_makes_the_proof() -> None:
    one, other = (keys_of(job(), caller(), secret)[0] for secret in (SECRET, b"t" * 32))
    assert one.address == other.address
    assert one.proof != other.proof


parts = st.builds(Part, st.sampled_from([Modality.TEXT, Modality.IMAGE]), st.text(max_size=6))
items = st.builds(lambda inside: Item(Modality.GROUP, tuple(inside)), st.lists(parts, min_size=1, max_size=3))
units = st.lists(items, min_size=1, max_size=3).map(tuple)


@given(units, units)
def test_no_two_units_share_a_record(one: tuple[Item, ...], other: tuple[Item, ...]) -> None:
    assert (unit_record(one) == unit_record(other)) is (one == other)


def prefixed(value: bytes) -> bytes:
    return len(value).to_bytes(8, "little") + value


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_a_single_text_has_the_record_of_any_item(text: str) -> None:
    part = prefixed(b"text") + prefixed(text.encode("utf-8", "surrogatepass"))
    assert unit_record((Item.text(text),)) == prefixed(prefixed(b"text") + prefixed(part))


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_splicing_fields_does_not_collide(a: str, b: str, c: str, d: str) -> None:
    one, other = job(model=a, revision=b), job(model=c, revision=d)
    assert (job_record(one, b"s") == job_record(other, b"s")) is ((a, b) == (c, d))


def test_of_two_scopes_the_narrower_holds() -> None:
    order = [CacheScope.OFF, CacheScope.TENANT, CacheScope.ORG, CacheScope.SHARED]
    for at, one in enumerate(order):
        for beside, other in enumerate(order):
            assert narrower(one, other) is order[min(at, beside)]


def test_a_salt_is_no_part_of_another_scope() -> None:
    salted = keys_of(job(), caller(CacheScope.TENANT, tenant="x"), SECRET, salt="y")
    assert salted != keys_of(job(), caller(CacheScope.TENANT, tenant="x"), SECRET)
    assert salted != keys_of(job(), caller(CacheScope.TENANT, tenant="xy"), SECRET)


@pytest.mark.parametrize(
    ("texts", "turns"),
    [
        (["a", "b"], 1),
        ([str(number) for number in range(AT_ONCE)], 1),
        ([str(number) for number in range(2 * AT_ONCE + 1)], 3),
        (["x" * MUCH, "y" * MUCH, "z"], 3),
        (["x" * (MUCH // 2), "y" * (MUCH // 2), "z"], 2),
    ],
)
def test_keys_of_many_units_or_of_much_content_are_made_in_parts(texts: list[str], turns: int) -> None:
    asked = job(units=tuple((Item.text(text),) for text in texts))
    maker, keys = key_maker(asked, caller(), SECRET), list[ItemKey]()
    taken = 1
    while not maker.extend(keys, asked.units):
        taken += 1
    assert taken == turns
    assert tuple(keys) == keys_of(asked, caller(), SECRET)
    alone = [keys_of(replace(asked, units=(unit,)), caller(), SECRET)[0] for unit in asked.units]
    assert keys == alone


def test_a_key_is_the_digest_of_the_whole_record() -> None:
    """What entries that are stored already were found by."""
    record = job_record(job(), b"scope") + unit_record(job().units[0])
    maker, keys = KeyMaker(job_record(job(), b"scope"), SECRET), list[ItemKey]()
    assert maker.extend(keys, job().units)
    proof = blake2b(record, digest_size=16, key=SECRET, person=b"gw-answer").digest()
    assert keys == [ItemKey(xxhash.xxh3_128_digest(record), proof)]

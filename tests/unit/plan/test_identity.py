from __future__ import annotations

import random
from dataclasses import replace

from fakes.collision import colliding, record_with

from gateway.plan.cache_key import _fields, job_record, keys_of, scope_name, unit_record
from gateway.vocabulary import CacheScope, Caller, Item, ItemKey, Job, Limits, Modality, Part, Shape

SECRET = b"s" * 32
WORDS = ("", "a", "b", "ab", "a\0", "\0a", "org", "shared", "tenant", "text", "\x01\0\0\0\0\0\0\0")


def caller(scope: CacheScope, name: str = "acme") -> Caller:
    return Caller(name, name, "free", "k", Limits(None, None, None), scope)


def embeddings(text: str) -> Job:
    return Job("embeddings", "m", "r", ((Item.text(text),),), Shape.DENSE, (), None)


def test_two_texts_with_one_xxh3_address_have_two_proofs() -> None:
    asker = caller(CacheScope.ORG)

    def key_of(text: str) -> ItemKey:
        return keys_of(embeddings(text), asker, SECRET)[0]

    one, other = colliding(record_with(job_record(embeddings(""), _fields((scope_name(asker), b"")))))
    assert one != other
    assert key_of(one).address == key_of(other).address
    assert key_of(one).proof != key_of(other).proof


def request(chance: random.Random) -> tuple[Job, Caller, str]:
    """A request put together from words that look like each other's fields, lengths and separators."""

    def word() -> str:
        return "".join(chance.choices(WORDS, k=chance.randint(0, 2)))

    def part() -> Part:
        return Part(chance.choice((Modality.TEXT, Modality.IMAGE)), word())

    def item() -> Item:
        alone = part()
        group = Item(Modality.GROUP, tuple(part() for _ in range(chance.randint(1, 3))))
        return chance.choice((Item(alone.modality, (alone,)), group))

    names = sorted(chance.sample(("task", "truncate", "normalized"), chance.randint(0, 2)))
    asked = Job(
        endpoint=chance.choice(("embeddings", "rerank")),
        model=word(),
        revision=word(),
        shape=chance.choice((Shape.DENSE, Shape.MULTI)),
        parameters=tuple((name, chance.choice((True, False, 1, 0, "True", "1", word()))) for name in names),
        query=chance.choice((None, word())),
        whole=chance.choice((True, False)),
        units=(tuple(item() for _ in range(chance.randint(1, 3))),),
        presentation=None,
    )
    return asked, caller(chance.choice((CacheScope.TENANT, CacheScope.ORG)), word()), word()


def spliced() -> list[tuple[Job, Caller, str]]:
    """Requests that differ only in where one field ends and its neighbour begins."""
    base, asker, word = embeddings("a"), caller(CacheScope.ORG), "abtextcd"
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    parts = [Part(Modality.TEXT, text) for text in ("ab", "cd", word)]
    groups = [(Item(Modality.TEXT, (parts[2],)),), (Item(Modality.TEXT, (parts[0], parts[1])),)]
    return [
        *((replace(base, model=left, revision=right), asker, "") for left, right in cuts),
        *((base, caller(CacheScope.ORG, left), right) for left, right in cuts),
        *((replace(base, parameters=((left, right),)), asker, "") for left, right in cuts),
        *((replace(base, units=(unit,)), asker, "") for unit in groups),
    ]


def test_no_two_of_a_million_pairs_of_requests_share_a_record_or_a_key() -> None:
    chance = random.Random(7)  # noqa: S311 - a reproducible test
    # The type of each parameter is in repr: 1 and true are two values here, as in the record.
    requests = {repr(made): made for made in (*spliced(), *(request(chance) for _ in range(1_600)))}
    records = {
        job_record(asked, _fields((scope_name(asker), salt.encode()))) + unit_record(asked.units[0])
        for asked, asker, salt in requests.values()
    }
    keys = {keys_of(asked, asker, SECRET, salt)[0] for asked, asker, salt in requests.values()}
    assert len(requests) * (len(requests) - 1) // 2 > 1_000_000
    assert len(records) == len(keys) == len(requests)

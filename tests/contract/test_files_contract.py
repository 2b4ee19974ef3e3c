from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from fakes.files import FakeFiles
from fakes.object_storage import BUCKET, running_gcs, running_s3

from gateway.app.job_files import job_files
from gateway.config.parse import parse
from gateway.errors import AddressError, StoreError
from gateway.fetch import Fetcher
from gateway.stores.files import LocalFiles
from gateway.stores.objects import ObjectFiles, filesystem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.ports.files import Files
    from gateway.stores.objects import Filesystem

# The client of Google's storage sends large bodies in a way that aiohttp warns of, in a thread of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")

LARGE = bytes(range(256)) * 10_000


@pytest.fixture(scope="session")
def storages() -> Iterator[dict[str, Filesystem]]:
    """Each kind of object storage, over its real client and a server."""
    with ExitStack() as stack:
        s3, gcs = stack.enter_context(running_s3()), stack.enter_context(running_gcs())
        yield {"s3": filesystem("s3", s3), "gs": filesystem("gs", gcs)}


@pytest.fixture(params=["fake", "disk", "s3", "gs"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "fake":
        return FakeFiles()
    if request.param == "disk":
        return LocalFiles(tmp_path / "data" / "jobs")
    storages: dict[str, Filesystem] = request.getfixturevalue("storages")
    return ObjectFiles(storages[request.param], f"{BUCKET}/{tmp_path.name}/")


async def test_what_was_put_last_is_there(files: Files) -> None:
    assert await files.get("batches/b1/output/000001.jsonl") is None
    await files.put("batches/b1/output/000001.jsonl", b"one")
    assert await files.get("batches/b1/output/000001.jsonl") == b"one"
    await files.put("batches/b1/output/000001.jsonl", LARGE)
    assert await files.get("batches/b1/output/000001.jsonl") == LARGE
    await files.put("batches/b1/output/000001.jsonl", b"")
    assert await files.get("batches/b1/output/000001.jsonl") == b""


async def test_a_folder_is_no_file(files: Files) -> None:
    await files.put("batches/b1/output/1", b"one")
    assert await files.get("batches/b1/output") is None
    assert await files.get("batches/b1/output/1/2") is None


async def test_all_that_begins_so_is_deleted_and_nothing_else(files: Files) -> None:
    names = ["batches/b1/output/1", "batches/b1/output/2", "batches/b1/errors", "batches/b10/output/1", "other"]
    for name in names:
        await files.put(name, name.encode())

    async def left() -> list[str]:
        return [name for name in names if await files.get(name) is not None]

    await files.delete("batches/none")
    await files.delete("none/at/all/")
    assert await left() == names
    await files.delete("batches/b1/out")
    assert await left() == names[2:]
    await files.delete("batches/b1/")
    assert await left() == names[3:]
    await files.delete("batches/b1/")
    await files.delete("batches/b1")
    assert await left() == ["other"]


async def test_files_can_be_put_side_by_side_and_after_a_deletion(files: Files) -> None:
    await asyncio.gather(*(files.put(f"batches/b2/{number}", b"%d" % number) for number in range(20)))
    assert [await files.get(f"batches/b2/{number}") for number in range(20)] == [b"%d" % n for n in range(20)]
    await asyncio.gather(files.delete("batches/b2/"), *(files.put("batches/b3/x", b"x") for _ in range(3)))
    await files.put("batches/b2/1", b"again")
    assert await files.get("batches/b2/1") == b"again"
    assert await files.get("batches/b2/2") is None


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "batches/../../x"])
async def test_no_name_leads_out(tmp_path: Path, storages: dict[str, Filesystem], name: str) -> None:
    for files in (LocalFiles(tmp_path / "jobs"), ObjectFiles(storages["s3"], BUCKET)):
        for work in (files.put(name, b"x"), files.get(name), files.delete(name)):
            with pytest.raises(ValueError, match="not the name of a job file"):
                await work


async def test_storage_that_refuses_is_a_failure_of_the_store(storages: dict[str, Filesystem], tmp_path: Path) -> None:
    absent = ObjectFiles(storages["s3"], "no-such-bucket")
    with pytest.raises(StoreError, match="object storage"):
        await absent.put("a", b"x")
    (tmp_path / "jobs").write_bytes(b"a file where the folder should be")
    with pytest.raises(StoreError, match="the disk"):
        await LocalFiles(tmp_path / "jobs").put("a", b"x")


async def test_the_configuration_says_where_files_are(tmp_path: Path, storages: dict[str, Filesystem]) -> None:
    local, _ = job_files(parse(f"server: {{data_dir: '{tmp_path}'}}", "f", {}), Fetcher())
    await local.put("a/b", b"x")
    assert (tmp_path / "jobs" / "a" / "b").read_bytes() == b"x"
    assert (tmp_path / "jobs" / "a" / "b").stat().st_mode & 0o777 == 0o600
    for scheme, setting, option in (("s3", "s3_endpoint", "endpoint_url"), ("gs", "gcs_endpoint", "_endpoint")):
        endpoint = getattr(storages[scheme], option)
        place = f"{scheme}://{BUCKET}/{tmp_path.name}"
        text = f"jobs: {{files: '{place}', {setting}: '{endpoint}', inputs: ['{place}-in/']}}"
        stored, inputs = await asyncio.to_thread(job_files, parse(text, "f", {}), Fetcher())
        await stored.put("a/b", b"stored")
        path = f"{BUCKET}/{tmp_path.name}"
        assert await asyncio.to_thread(storages[scheme].cat_file, f"{path}/a/b") == b"stored"
        await asyncio.to_thread(storages[scheme].pipe_file, f"{path}-in/x", b"1\n2")
        assert [line async for line in inputs.lines(f"{place}-in/x")] == [b"1", b"2"]
        with pytest.raises(AddressError):
            await anext(inputs.lines(f"{place}/a/b"))

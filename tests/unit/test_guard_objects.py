from __future__ import annotations

import pytest

from gateway.config.jobs import is_place
from gateway.errors import AddressError
from gateway.guard import check_object
from gateway.jobs.file_names import checked, checked_prefix

ALLOWED = ("s3://shared/in/", "gs://all/")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://shared/in/a.jsonl", ("s3", "shared/in/a.jsonl")),
        ("s3://shared/in/b c/ä.jsonl", ("s3", "shared/in/b c/ä.jsonl")),
        ("gs://all/x", ("gs", "all/x")),
    ],
)
def test_an_object_in_an_allowed_place_is_read(url: str, found: tuple[str, str]) -> None:
    assert check_object(url, ALLOWED) == found


@pytest.mark.parametrize(
    "url",
    [
        "s3://other/in/a.jsonl",
        "s3://shared/own/a.jsonl",
        "s3://shared/in.jsonl",
        "s3://shared/inner/a",
        "gs://shared/in/a.jsonl",
        "s3://all/x",
        "s3://shared.evil/in/a",
    ],
)
def test_one_anywhere_else_is_refused_with_the_reason(url: str) -> None:
    with pytest.raises(AddressError, match="in no bucket that this gateway is allowed to read"):
        check_object(url, ALLOWED)
    with pytest.raises(AddressError, match="in no bucket"):
        check_object(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "s3://shared/in/../own/a",
        "s3://shared/in/./a",
        "s3://shared/in//a",
        "s3://shared/in/",
        "s3://shared",
        "s3://SHARED/in/a",
        "s3://key:secret@shared/in/a",
        "s3://shared/in/a?versionId=1",
        "s3://shared/in/a#1",
        "s3://shared/in/*",
        "s3://shared/in/[a]",
        "s3://shared/in/a\\b",
        "s3://shared/in/a\nb",
        "S3://shared/in/a",
        "s3:///in/a",
        "s3://shared/in/" + "a" * 2_048,
    ],
)
def test_what_two_parsers_might_read_differently_names_no_object(url: str) -> None:
    with pytest.raises(AddressError, match="names no object"):
        check_object(url, (*ALLOWED, "s3://shared/"))


@pytest.mark.parametrize("text", ["s3://b/", "gs://b/c/", "s3://b/c/d/"])
def test_places_end_in_a_slash(text: str) -> None:
    assert is_place(text)


@pytest.mark.parametrize(
    "text", ["s3://b", "s3://b/c", "s3://", "s3:///", "s3:///c/", "http://b/", "s3://b/../", "s3://b//", "s3://b/*/"]
)
def test_anything_else_is_no_place(text: str) -> None:
    assert not is_place(text)


@pytest.mark.parametrize("name", ["batches/b1/output/000012.jsonl", "a", "a-b_c.d"])
def test_names_of_files(name: str) -> None:
    assert checked(name) == name
    assert checked_prefix(f"{name}/") == f"{name}/"
    assert checked_prefix(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "/", "/etc/passwd", "../a", "a/../b", "a/./b", "a//b", ".a", "a/.draft-1", "a\\b", "a\n", "ä", "a" * 513],
)
def test_what_leads_elsewhere_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a job file"):
        checked(name)
    with pytest.raises(ValueError, match="not the name of a job file"):
        checked_prefix(name)


def test_a_file_is_no_folder() -> None:
    with pytest.raises(ValueError, match="not the name"):
        checked("a/")

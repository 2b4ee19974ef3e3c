from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from fakes.gateway import OTHER_KEY, SEARCH_KEY, configured, snapshot_of

from gateway.config.schema import Server, Tier

if TYPE_CHECKING:
    from gateway.vocabulary import Json

KEY = {"Authorization": f"Bearer {SEARCH_KEY}"}
OTHER = {"Authorization": f"Bearer {OTHER_KEY}"}
TIERS = {"small": Tier(rpm=1_000, tpm=100_000, concurrency=50)}
MODEL = "jina-embeddings-v3"
PATH = "/v1/bulk-embeddings"


@pytest.fixture(autouse=True)
def room(served: Any) -> None:
    served.gateway.pipeline.snapshot = snapshot_of(configured(tiers=TIERS, server=Server(body_limit=100_000)))


async def uploaded(
    served: Any, client: aiohttp.ClientSession, csv: str = "hello\nworld", headers: dict[str, str] = KEY, **fields: str
) -> tuple[int, Any]:
    form = aiohttp.FormData()
    form.add_field("file", csv, filename="texts.csv")
    for name, value in ({"model": MODEL} | fields).items():
        form.add_field(name, value)
    async with client.post(served.url + PATH, data=form, headers=headers) as response:
        return response.status, await response.json()


async def asked(client: aiohttp.ClientSession, method: str, url: str, **more: Any) -> tuple[int, Json]:
    async with client.request(method, url, **more) as response:
        found = await response.json(content_type=None)
        return response.status, found.get("code") if response.status >= 400 else found


async def finish(served: Any) -> None:
    served.engine.begin()
    await served.engine.pass_time(3)
    await served.engine.close()


async def test_a_result_is_there_when_the_job_has_ended(served: Any, client: aiohttp.ClientSession) -> None:
    status, job = await uploaded(served, client, email="a@example.com")
    assert (status, job["status"], job["user_email"]) == (200, "waiting", "a@example.com")
    url = f"{served.url}{PATH}/{job['_id']}"
    assert await asked(client, "POST", f"{url}/download-result", headers=KEY) == (409, "CONFLICT_RESOURCE_BUSY")
    assert (await asked(client, "GET", url, headers=KEY)) == (200, job)
    await finish(served)
    status, shown = await asked(client, "GET", url, headers=KEY)
    assert (status, shown["status"], shown["file_name"]) == (200, "completed", "texts.csv")
    status, found = await asked(client, "POST", f"{url}/download-result", headers=KEY)
    assert (status, found["id"]) == (200, job["_id"])
    async with client.get(found["download_url"]) as response:
        assert (response.status, len((await response.text()).splitlines())) == (200, 2)


async def test_a_job_none_of_whose_rows_is_answered_has_no_result(served: Any, client: aiohttp.ClientSession) -> None:
    _, job = await uploaded(served, client, "id,text\na,\n")
    await finish(served)
    url = f"{served.url}{PATH}/{job['_id']}"
    status, shown = await asked(client, "GET", url, headers=KEY)
    assert (status, shown["status"]) == (200, "failed")
    assert await asked(client, "POST", f"{url}/download-result", headers=KEY) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/download-result")])
async def test_a_job_is_its_tenants_only(served: Any, client: aiohttp.ClientSession, method: str, path: str) -> None:
    _, job = await uploaded(served, client)
    await finish(served)
    url = f"{served.url}{PATH}/{job['_id']}{path}"
    assert (await asked(client, method, url, headers=KEY))[0] == 200
    assert await asked(client, method, url, headers=OTHER) == (404, "RESOURCE_NOT_FOUND")
    assert await asked(client, method, url) == (401, "AUTH_MISSING_API_KEY")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": "no-such-model"}, (400, "INPUT_MODEL_NOT_FOUND")),
        ({"model": "jina-reranker-v2-base-multilingual"}, (400, "INPUT_MODEL_NOT_FOUND")),
        ({"csv": ""}, (422, "INPUT_INVALID")),
        ({"csv": "a,b\nc,d"}, (422, "INPUT_INVALID")),
        ({"email": "nobody"}, (422, "INPUT_INVALID")),
        ({"csv": "x" * 200_000}, (413, "INPUT_TOO_LARGE")),
        ({"headers": {}}, (401, "AUTH_MISSING_API_KEY")),
    ],
)
async def test_what_is_wrong_is_said(
    served: Any, client: aiohttp.ClientSession, fields: dict[str, Any], said: tuple[int, str]
) -> None:
    status, found = await uploaded(served, client, **fields)
    assert (status, found["code"]) == said
    assert not served.engine.files.kept


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", PATH, (405, "METHOD_NOT_ALLOWED")),
        ("DELETE", f"{PATH}/x", (405, "METHOD_NOT_ALLOWED")),
        ("GET", f"{PATH}/x/download-result", (405, "METHOD_NOT_ALLOWED")),
        ("GET", f"{PATH}/x/y", (404, "RESOURCE_NOT_FOUND")),
        ("GET", f"{PATH}/", (404, "RESOURCE_NOT_FOUND")),
        ("POST", f"{PATH}/x/download-result", (404, "RESOURCE_NOT_FOUND")),
    ],
)
async def test_other_ways_lead_nowhere(
    served: Any, client: aiohttp.ClientSession, method: str, path: str, said: tuple[int, str]
) -> None:
    assert await asked(client, method, served.url + path, headers=KEY) == said


async def test_a_body_of_another_type_is_refused(served: Any, client: aiohttp.ClientSession) -> None:
    said = await asked(client, "POST", served.url + PATH, json={"model": MODEL}, headers=KEY)
    assert said == (415, "INPUT_UNSUPPORTED_MEDIA_TYPE")


async def test_files_that_are_away_are_a_503(served: Any, client: aiohttp.ClientSession) -> None:
    served.engine.files.down = True
    status, found = await uploaded(served, client)
    assert (status, found["code"]) == (503, "SERVICE_UNAVAILABLE")

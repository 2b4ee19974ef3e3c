from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes.gateway import OTHER_KEY, SEARCH_KEY, configured, snapshot_of

from gateway.config.backends import Backend
from gateway.config.jobs import Jobs
from gateway.config.schema import Bounds, Server, Tier
from gateway.ports.jobs import State

if TYPE_CHECKING:
    import aiohttp

NANO = "jina-embeddings-v5-text-nano"
KEY = {"Authorization": f"Bearer {SEARCH_KEY}"}
OTHER = {"Authorization": f"Bearer {OTHER_KEY}"}
BODY = {"model": NANO, "input": [{"custom_id": "a", "body": {"input": "x"}}, {"custom_id": "b", "body": {}}]}
TIERS = {"small": Tier(rpm=1_000, tpm=100_000, concurrency=50)}


@pytest.fixture(autouse=True)
def room(served: Any) -> None:
    served.gateway.pipeline.snapshot = snapshot_of(configured(tiers=TIERS))


async def made(served: Any, client: aiohttp.ClientSession, **fields: Any) -> str:
    async with client.post(served.url + "/v1/batch/embeddings", json=BODY | fields, headers=KEY) as response:
        assert response.status == 200, await response.text()
        name: str = (await response.json())["batch_id"]
        return name


async def finished(served: Any, client: aiohttp.ClientSession, **fields: Any) -> str:
    """A job that is completed: one line good, one bad."""
    name = await made(served, client, **fields)
    served.engine.begin()
    await served.engine.pass_time(3)
    await served.engine.close()
    return name


async def got(client: aiohttp.ClientSession, method: str, url: str, **more: Any) -> tuple[int, Any]:
    async with client.request(method, url, **more) as response:
        return response.status, await response.json(content_type=None)


async def test_a_job_from_its_request_to_its_files(served: Any, client: aiohttp.ClientSession) -> None:
    name = await finished(served, client)
    assert len(name) == len("batch_") + 32
    status, found = await got(client, "GET", f"{served.url}/v1/batch/{name}", headers=KEY)
    assert (status, found["status"]) == (200, "completed")
    assert found["stats"] == {"total": 2, "completed": 1, "failed": 1, "total_tokens": 1}
    for word, link, custom_id in (("output", "output_url", "a"), ("errors", "error_file_url", "b")):
        for url, headers in ((f"{served.url}/v1/batch/{name}/{word}", KEY), (found[link], {})):
            async with client.get(url, headers=headers) as response:
                assert (response.status, response.content_type) == (200, "application/x-ndjson")
                assert response.headers["X-Request-Id"]
                assert (await response.json(content_type=None))["custom_id"] == custom_id
            async with client.head(url, headers=headers) as response:
                assert (response.status, await response.read()) == (200, b"")
    facts = {seen.endpoint for seen in served.gateway.counted}
    assert facts == {"batch", "embeddings"}


async def test_jobs_are_listed_for_their_tenant(served: Any, client: aiohttp.ClientSession) -> None:
    names = [await made(served, client) for _ in range(3)]
    status, found = await got(client, "GET", f"{served.url}/v1/batches", headers=KEY)
    assert (status, {entry["batch_id"] for entry in found}) == (200, set(names))
    assert len((await got(client, "GET", f"{served.url}/v1/batches?limit=2", headers=KEY))[1]) == 2
    assert (await got(client, "GET", f"{served.url}/v1/batches", headers=OTHER)) == (200, [])
    assert (await got(client, "GET", f"{served.url}/v1/batches?limit=x", headers=KEY))[0] == 422


async def test_a_job_is_cancelled_and_that_twice_is_the_same(served: Any, client: aiohttp.ClientSession) -> None:
    name = await made(served, client)
    for _ in range(2):
        status, found = await got(client, "DELETE", f"{served.url}/v1/batch/{name}", headers=KEY)
        assert (status, found["status"]) == (200, "cancelled")
    assert [move[1] for move in served.engine.watch.moves] == [State.PENDING, State.CANCELLED]
    served.engine.begin()
    await served.engine.pass_time(3)
    await served.engine.close()
    assert not served.gateway.upstream.calls
    async with client.get(f"{served.url}/v1/batch/{name}/output", headers=KEY) as response:
        assert (response.status, await response.read()) == (200, b"")


ROUTES = [("GET", ""), ("DELETE", ""), ("GET", "/output"), ("GET", "/errors")]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("key", "status", "code"),
    [(OTHER, 404, "RESOURCE_NOT_FOUND"), ({}, 401, "AUTH_MISSING_API_KEY"), (KEY, 200, None)],
    ids=["stranger", "nobody", "owner"],
)
async def test_a_job_is_its_tenants_only(  # noqa: PLR0913, PLR0917 - a row of the matrix
    served: Any,
    client: aiohttp.ClientSession,
    method: str,
    path: str,
    key: dict[str, str],
    status: int,
    code: str | None,
) -> None:
    name = await finished(served, client)
    url = f"{served.url}/v1/batch/{name}{path}"
    async with client.request(method, url, headers=key) as response:
        assert response.status == status
        if code is not None:
            found = await response.json()
            assert (found["code"], found["request_id"]) == (code, response.headers["X-Request-Id"])
    nowhere = url.replace(name, "batch_" + "0" * 32)
    if key is OTHER:  # who asks for another's job learns no more than that
        refusals = [await got(client, method, address, headers=key) for address in (url, nowhere)]
        texts = [
            found["detail"].replace(name, "").replace("batch_" + "0" * 32, "") for status, found in refusals if status
        ]
        assert texts[0] == texts[1]
    assert served.engine.batch(name).state is State.COMPLETED


async def test_a_signature_is_for_one_file_and_ends_with_it(served: Any, client: aiohttp.ClientSession) -> None:
    name, another = await finished(served, client), await finished(served, client)
    _, found = await got(client, "GET", f"{served.url}/v1/batch/{name}", headers=KEY)
    link = found["output_url"]
    for wrong in (link.replace("/output", "/errors"), link.replace(name, another), link[:-1], link + "&a=b"):
        assert (await got(client, "GET", wrong))[0] == 401
    served.gateway.clock.now += 86_400
    assert (await got(client, "GET", link))[0] == 401


async def test_what_has_not_ended_or_has_expired_cannot_be_fetched(served: Any, client: aiohttp.ClientSession) -> None:
    name = await made(served, client)
    url = f"{served.url}/v1/batch/{name}/output"
    status, found = await got(client, "GET", url, headers=KEY)
    assert (status, found["code"]) == (409, "CONFLICT_RESOURCE_BUSY")
    kept = served.engine.jobs.kept[name]
    kept.batch = replace(kept.batch, state=State.EXPIRED)
    assert (await got(client, "GET", url, headers=KEY))[0] == 404


async def test_a_tenant_has_so_many_open_jobs(served: Any, client: aiohttp.ClientSession) -> None:
    served.gateway.pipeline.snapshot = snapshot_of(configured(tiers=TIERS, jobs=Jobs(max_open=1)))
    await made(served, client)
    files = dict(served.engine.files.kept)
    status, found = await got(client, "POST", f"{served.url}/v1/batch/embeddings", json=BODY, headers=KEY)
    assert (status, found["code"]) == (403, "AUTHZ_RESOURCE_LIMIT_EXCEEDED")
    assert served.engine.files.kept == files


async def test_addresses_begin_as_the_configuration_says(served: Any, client: aiohttp.ClientSession) -> None:
    jobs = Jobs(public_url="https://api.example/gw")
    served.gateway.pipeline.snapshot = snapshot_of(configured(tiers=TIERS, jobs=jobs))
    name = await finished(served, client)
    _, found = await got(client, "GET", f"{served.url}/v1/batch/{name}", headers=KEY)
    assert found["output_url"].startswith(f"https://api.example/gw/v1/batch/{name}/output?expires=")


WRONG = [
    ("PUT", "/v1/batch/embeddings", 405),
    ("GET", "/v1/batch/embeddings", 405),
    ("POST", "/v1/batches", 405),
    ("POST", "/v1/batch/batch_1", 405),
    ("POST", "/v1/batch/batch_1/output", 405),
    ("GET", "/v1/batch/", 404),
    ("GET", "/v1/batch/batch_1/other", 404),
    ("GET", "/v1/batch/batch_1/output/x", 404),
    ("GET", "/v1/batch/%0a", 404),
]


@pytest.mark.parametrize(("method", "path", "wanted"), WRONG)
async def test_wrong_methods_and_paths(
    served: Any, client: aiohttp.ClientSession, method: str, path: str, wanted: int
) -> None:
    status, found = await got(client, method, served.url + path, headers=KEY)
    assert (status, bool(found["detail"])) == (wanted, True)


async def test_a_store_that_is_away_is_a_503(served: Any, client: aiohttp.ClientSession) -> None:
    served.engine.jobs.down = True
    for method, path in (("POST", "embeddings"), ("GET", "batch_1"), ("DELETE", "batch_1"), ("GET", "batch_1/output")):
        status, found = await got(client, method, f"{served.url}/v1/batch/{path}", json=BODY, headers=KEY)
        assert (status, found["code"]) == (503, "SERVICE_UNAVAILABLE")


async def test_calls_count_in_limits(served: Any, client: aiohttp.ClientSession) -> None:
    tiers = {"small": Tier(rpm=2, tpm=100, concurrency=5)}
    served.gateway.pipeline.snapshot = snapshot_of(configured(tiers=tiers))
    statuses = [(await got(client, "GET", f"{served.url}/v1/batches", headers=KEY))[0] for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_client_addresses_have_no_jobs_whatever_their_tier_says(
    served: Any, client: aiohttp.ClientSession
) -> None:
    tiers = TIERS | {"anonymous": Tier(endpoints={"batch": Bounds(rpm=10)})}
    served.gateway.pipeline.snapshot = snapshot_of(configured(tiers=tiers))
    assert (await got(client, "GET", f"{served.url}/v1/batches"))[0] == 401


async def test_keys_that_are_passed_through_have_no_jobs(served: Any, client: aiohttp.ClientSession) -> None:
    backends = {"jina": Backend(dialect="jina", url="http://upstream")}
    changes: dict[str, Any] = {"tenants": {}, "backends": backends, "server": Server(authentication="passthrough")}
    served.gateway.pipeline.snapshot = snapshot_of(configured(**changes))
    status, found = await got(client, "GET", f"{served.url}/v1/batches", headers=KEY)
    assert (status, found["code"]) == (403, "AUTHZ_RESOURCE_LIMIT_EXCEEDED")

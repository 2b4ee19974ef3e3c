"""Trained classifiers over HTTP: the list, deletion, and who may see what."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from fakes.gateway import OTHER_KEY, SEARCH_KEY, configured, snapshot_of
from pydantic import TypeAdapter

from gateway.config.backends import ModelEntry
from gateway.config.schema import Bounds, Server, Tenant, Tier
from gateway.endpoints.openapi_train import ClassifierSummary, TrainingResponse

if TYPE_CHECKING:
    import aiohttp

V3 = "jina-embeddings-v3"
BODY = {"model": V3, "input": [{"text": "good", "label": "yes"}, {"text": "bad", "label": "no"}]}
BIG = {"tiers": {"small": Tier(rpm=100, tpm=100_000, concurrency=5)}}
LIST = "/v1/classifiers"


@pytest.fixture
def server_settings() -> Server:
    return Server()


@pytest.fixture(params=["local", "relayed"])
def place(request: pytest.FixtureRequest, served: Any) -> str:
    """Where classifiers are trained."""
    models = {V3: ModelEntry(serve="local")} if request.param == "local" else {}
    served.gateway.pipeline.snapshot = snapshot_of(configured(**BIG, models=models))
    return str(request.param)


class Client:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self.session = url, session

    async def ask(self, method: str, path: str, body: Any = None, key: str = SEARCH_KEY) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        async with self.session.request(method, self.url + path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def trained(self, key: str = SEARCH_KEY, **fields: Any) -> str:
        status, content = await self.ask("POST", "/v1/train", BODY | fields, key)
        assert status == 200, content
        return TrainingResponse.model_validate(content).classifier_id

    async def listed(self, key: str = SEARCH_KEY, method: str = "GET") -> list[ClassifierSummary]:
        status, content = await self.ask(method, LIST, key=key)
        assert status == 200
        return TypeAdapter(list[ClassifierSummary]).validate_python(content)


@pytest.fixture
def tenant(served: Any, client: aiohttp.ClientSession) -> Client:
    return Client(served.url, client)


@pytest.mark.usefixtures("place")
async def test_the_list_is_bare_and_the_callers_own(tenant: Client, served: Any) -> None:
    assert await tenant.listed() == []
    first, second = await tenant.trained(), await tenant.trained(access="private")
    other = await tenant.trained(OTHER_KEY)
    await tenant.ask("POST", "/v1/train", {"classifier_id": first, "input": {"text": "a", "label": "maybe"}})
    await tenant.ask("POST", "/v1/classify", {"classifier_id": first, "input": ["a", "b"]})
    await served.gateway.tasks.drain(1.0)
    for method in ("GET", "POST"):
        found = {str(entry.classifier_id): entry for entry in await tenant.listed(method=method)}
        assert set(found) == {first, second}
    one, two = found[first], found[second]
    assert (one.model, one.labels, one.access) == (V3, ["yes", "no", "maybe"], "public")
    assert (one.updated_number, one.used_number, two.updated_number, two.used_number) == (1, 1, 0, 0)
    assert (two.access, two.used_at, one.is_active, one.is_latest, one.metadata_) == ("private", None, True, True, {})
    assert one.used_at is not None
    (theirs,) = await tenant.listed(OTHER_KEY)
    assert str(theirs.classifier_id) == other
    assert theirs.user_id != one.user_id == two.user_id


async def test_what_is_deleted_is_gone_here_and_there(tenant: Client, served: Any, place: str) -> None:
    identifier = await tenant.trained()
    there = served.gateway.upstream.training.labels
    assert (identifier in there) is (place == "relayed")
    status, content = await tenant.ask("DELETE", f"{LIST}/{identifier}")
    assert (status, content) == (200, {"classifier_id": identifier, "deleted": True})
    assert identifier not in there
    assert await tenant.listed() == []
    assert (await tenant.ask("DELETE", f"{LIST}/{identifier}"))[0] == 404
    assert (await tenant.ask("POST", "/v1/classify", {"classifier_id": identifier, "input": "a"}))[0] == 404
    assert [facts.endpoint for facts in served.gateway.counted] == ["train", "classifiers", "classifiers"]


async def test_what_the_upstream_has_no_more_can_be_deleted(tenant: Client, served: Any, place: str) -> None:
    identifier = await tenant.trained()
    served.gateway.upstream.training.labels.clear()
    assert (await tenant.ask("DELETE", f"{LIST}/{identifier}"))[0] == 200
    assert await tenant.listed() == []
    assert place


async def test_what_the_upstream_does_not_delete_stays(tenant: Client, served: Any, place: str) -> None:
    identifier = await tenant.trained()
    served.gateway.upstream.keys.clear()
    status, content = await tenant.ask("DELETE", f"{LIST}/{identifier}")
    expected = (200, []) if place == "local" else (503, [identifier])
    assert (status, [str(entry.classifier_id) for entry in await tenant.listed()]) == expected, content


@pytest.mark.usefixtures("place")
async def test_one_that_is_being_trained_is_busy(tenant: Client, served: Any) -> None:
    identifier = await tenant.trained()
    kept = await served.gateway.classifiers.find(identifier)
    assert await served.gateway.classifiers.lock(kept, "another", 60)
    status, content = await tenant.ask("DELETE", f"{LIST}/{identifier}")
    assert (status, content["code"]) == (409, "CONFLICT_RESOURCE_BUSY")
    assert len(await tenant.listed()) == 1


def routes(identifier: str) -> dict[str, tuple[str, str, Any]]:
    """Every route that takes an id."""
    example = {"text": "a", "label": "yes"}
    return {
        "classify": ("POST", "/v1/classify", {"classifier_id": identifier, "input": "a"}),
        "update": ("POST", "/v1/train", {"classifier_id": identifier, "input": [example]}),
        "delete": ("DELETE", f"{LIST}/{identifier}", None),
    }


MATRIX = list(product(routes(""), ("public", "private"), (SEARCH_KEY, OTHER_KEY)))
NAMED = [f"{route}-{access}-{'owner' if key == SEARCH_KEY else 'stranger'}" for route, access, key in MATRIX]


@pytest.mark.parametrize(("route", "access", "key"), MATRIX, ids=NAMED)
@pytest.mark.usefixtures("place")
async def test_a_stranger_sees_nothing_but_what_is_public(
    tenant: Client, served: Any, route: str, access: str, key: str
) -> None:
    identifier = await tenant.trained(access=access)
    calls = len(served.gateway.upstream.calls)
    status, content = await tenant.ask(*routes(identifier)[route], key)
    allowed = key == SEARCH_KEY or (route, access) == ("classify", "public")
    assert status == (200 if allowed else 404), content
    if not allowed:
        unknown = await tenant.ask(*routes("nobodys")[route], key)
        told, of_nobody = content["detail"].replace(identifier, "ID"), unknown[1]["detail"].replace("nobodys", "ID")
        assert (told, content["code"]) == (of_nobody, "RESOURCE_NOT_FOUND"), "as if there were none"
        assert len(served.gateway.upstream.calls) == calls, "nobody was asked"
        assert len(await tenant.listed()) == 1
    assert await tenant.listed(OTHER_KEY) == []


@pytest.mark.usefixtures("place")
async def test_listing_wants_a_key_and_counts_in_its_limits(tenant: Client, served: Any) -> None:
    assert (await tenant.ask("GET", LIST, key="nobodys"))[0] == 401
    tier = Tier(endpoints={"classifiers": Bounds(rpm=1)})
    tenants = {"search": Tenant(tier="one", keys=(SEARCH_KEY,))}
    served.gateway.pipeline.snapshot = snapshot_of(configured(tiers={"one": tier}, tenants=tenants))
    assert (await tenant.ask("GET", LIST))[0] == 200
    assert (await tenant.ask("GET", LIST))[0] == 429


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", LIST), ("DELETE", LIST), ("GET", f"{LIST}/c"), ("POST", f"{LIST}/c")]
)
async def test_other_methods_are_not_allowed(tenant: Client, method: str, path: str) -> None:
    assert (await tenant.ask(method, path))[0] == 405


@pytest.mark.usefixtures("place")
async def test_without_the_store_there_is_no_list(tenant: Client, served: Any) -> None:
    served.gateway.classifiers.down = True
    assert (await tenant.ask("GET", LIST))[0] == 503

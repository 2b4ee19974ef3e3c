"""E: a CSV file on the older route, worked off by a real gateway, its end told to nobody but those who ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
from fakes.running_gateway import MODEL, launched, until

if TYPE_CHECKING:
    from fakes.running_gateway import Gateway

CONFIG = """
tenants: {shop: {keys: [key-of-the-shop]}, other: {keys: [key-of-another]}}
jobs: {chunk: 2}
"""
CSV = 'id,text\nfirst,"hello, world"\n,second\nthird\n'


async def upload(gateway: Gateway, fields: dict[str, str], key: str = "key-of-the-shop") -> tuple[int, Any]:
    form = aiohttp.FormData()
    form.add_field("file", CSV, filename="texts.csv", content_type="text/csv")
    for name, value in fields.items():
        form.add_field(name, value)
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{gateway.url}/v1/bulk-embeddings", data=form, headers={"Authorization": f"Bearer {key}"}
        ) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_file_becomes_vectors_behind_a_signed_address() -> None:
    async with launched(CONFIG, key="key-of-the-shop") as gateway:
        status, job = await upload(gateway, {"model": MODEL, "email": "a@example.com"})
        assert status == 200, job
        assert job["status"] == "waiting"
        assert (job["file_name"], job["user_email"], job["user_id"]) == ("texts.csv", "a@example.com", "shop")
        name = job["_id"]
        path = f"/v1/bulk-embeddings/{name}"
        mine = {"Authorization": "Bearer key-of-the-shop"}

        async def ended() -> bool:
            return bool((await gateway.get(path, **mine)).json["status"] == "completed")

        await until(ended)
        found = (await gateway.get(path, **mine)).json
        assert (found["file_name"], found["model_name"]) == ("texts.csv", MODEL)
        assert found["used_token_count"] > 0
        result = (await gateway.post(f"{path}/download-result", b"")).json
        assert result["id"] == name
        signed = result["download_url"].removeprefix(gateway.url)
        output = await gateway.get(signed)
        assert output.status == 200
        lines = {line["custom_id"]: line["response"]["body"] for line in map(json.loads, output.body.splitlines())}
        assert lines.keys() == {"first", "2"}
        assert len(lines["2"]["data"][0]["embedding"]) == 384
        errors = await gateway.get(f"/v1/batch/{name}/errors", **mine)
        assert [json.loads(line)["custom_id"] for line in errors.body.splitlines()] == ["third"]
        for changed in (signed[:-1] + ("A" if signed[-1] != "A" else "B"), signed.replace("expires=1", "expires=2")):
            assert (await gateway.get(changed)).failure == (401, "AUTH_MISSING_API_KEY")
        stranger = {"Authorization": "Bearer key-of-another"}
        assert (await gateway.get(path, **stranger)).failure == (404, "RESOURCE_NOT_FOUND")
        refused = await gateway.post(f"{path}/download-result", b"", key="key-of-another")
        assert refused.failure == (404, "RESOURCE_NOT_FOUND")
        status, said = await upload(gateway, {"model": "no-such-model"})
        assert (status, said["code"]) == (400, "INPUT_MODEL_NOT_FOUND")
        status, said = await upload(gateway, {})
        assert (status, said["code"]) == (422, "INPUT_INVALID")
        assert (await gateway.post("/v1/bulk-embeddings", {"model": MODEL})).failure == (
            415,
            "INPUT_UNSUPPORTED_MEDIA_TYPE",
        )

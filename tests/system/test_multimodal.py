"""Multi-vectors, sparse vectors and media through the real process: the bundled model, and a server of images."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from fakes.running_gateway import Gateway, launched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from numpy.typing import NDArray

SPARSE = "bm25-wordpiece"
WIDTH = 384
DOCUMENTS = {
    "Photosynthesis lets plants turn sunlight into chemical energy.": "how do plants make their food",
    "The central bank raised interest rates to curb inflation.": "why has borrowing become dearer",
    "To reset your password, open settings and choose security.": "I forgot my login credentials",
    "The striker scored twice in the final minutes of the match.": "who got the goals late in the game",
    "Insulin is produced by the beta cells of the pancreas.": "which organ makes the hormone that lowers blood sugar",
    "Bake the bread at 220 degrees until the crust is golden.": "oven temperature for a loaf",
    "A solar eclipse happens when the moon passes between the sun and the earth.": "when does it get dark in daytime",
    "Penguins cannot fly but are excellent swimmers.": "flightless birds that swim",
}


def best(scores: NDArray[Any]) -> list[int]:
    return [int(at) for at in scores.argmax(axis=1)]


async def multi(gateway: Gateway, texts: list[str], **fields: Any) -> list[NDArray[np.float32]]:
    answer = await gateway.embed(texts, return_multivector=True, **fields)
    assert answer.status == 200, answer.json
    assert [(entry["object"], entry["index"]) for entry in answer.json["data"]] == [
        ("embeddings", at) for at in range(len(texts))
    ]
    return [np.asarray(entry["embeddings"]) for entry in answer.json["data"]]


async def test_a_vector_a_token_of_the_bundled_model_finds_what_is_meant(local: Gateway) -> None:
    documents, queries = await multi(local, list(DOCUMENTS)), await multi(local, list(DOCUMENTS.values()))
    for rows in documents:
        assert rows.shape[1] == WIDTH
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-5)
    # MaxSim (Khattab & Zaharia 2020): each token of the query with the nearest one of the document.
    similar = np.array([[(asked @ rows.T).max(axis=1).sum() for rows in documents] for asked in queries])
    # It takes "get dark in daytime" for what plants do with sunlight.
    assert sum(found == at for at, found in enumerate(best(similar))) >= len(DOCUMENTS) - 1


async def test_multi_vectors_are_stored_and_shown_in_every_encoding(local: Gateway) -> None:
    texts = ["A multi-vector of a text that nobody has sent.", "And another.", "And another."]
    first = await local.embed(texts, return_multivector=True)
    assert first.cached == (1, 2)
    coded = await local.embed(texts, return_multivector=True, embedding_type=["float", "base64", "binary", "ubinary"])
    assert coded.cached == (3, 0)
    assert coded.json["usage"] == first.json["usage"]
    for left, right in zip(first.json["data"], coded.json["data"], strict=True):
        rows = np.asarray(left["embeddings"], dtype="<f4")
        shown = right["embeddings"]
        assert shown["float"] == left["embeddings"]
        assert [base64.b64decode(row) for row in shown["base64"]] == [row.tobytes() for row in rows]
        assert shown["ubinary"] == np.packbits(rows > 0, axis=1).tolist()
        assert shown["binary"] == (np.packbits(rows > 0, axis=1).astype(int) - 128).tolist()
    single = await local.embed(texts)
    assert single.cached == (1, 2)
    assert single.json["data"][0]["object"] == "embedding"


async def test_long_lists_of_multi_vectors_go_in_calls_that_are_quick_to_read(local: Gateway) -> None:
    texts = [f"{'word ' * 200} {number}" for number in range(9)]
    rows = await multi(local, texts)
    assert [len(found) for found in rows] == [203] * len(texts)
    (alone,) = await multi(local, ["x " + texts[4]])
    assert len(alone) == 204


async def test_sparse_vectors_of_the_bundled_weighting(local: Gateway) -> None:
    queries = ["plants and sunlight", "the bank", "password settings", "the striker", "the pancreas", "golden bread"]
    first = await local.embed([*DOCUMENTS, *queries], model=SPARSE)
    assert first.status == 200, first.json
    assert set(first.json["usage"]) == {"total_tokens", "input_tokens", "output_tokens"}
    vectors: list[dict[str, float]] = first.json["data"]
    known, asked = vectors[: len(DOCUMENTS)], vectors[len(DOCUMENTS) :]
    scores = np.array([[sum(w * d.get(token, 0.0) for token, w in q.items()) for d in known] for q in asked])
    assert best(scores) == list(range(len(queries)))
    again = await local.embed(list(DOCUMENTS), model=f"gateway/{SPARSE}", embedding_type="base64")
    assert (again.cached, again.json["data"]) == ((len(DOCUMENTS), 0), known)


@pytest.mark.parametrize(
    ("fields", "field_named"),
    [
        ({"model": SPARSE, "texts": "a", "return_multivector": True}, "return_multivector"),
        ({"model": SPARSE, "texts": "a", "dimensions": 8}, "dimensions"),
        ({"texts": "a", "return_multivector": True, "dimensions": 8}, "dimensions"),
        ({"texts": [{"image": "aGk="}]}, "input -> 0"),
        ({"texts": {"url": "https://a.example/x.png"}}, "input"),
    ],
)
async def test_what_the_bundled_models_cannot_do_is_said_before_they_are_asked(
    local: Gateway, fields: dict[str, Any], field_named: str
) -> None:
    answer = await local.embed(**fields)
    assert answer.status == 422
    assert answer.json["errors"][0]["field"].endswith(f" -> {field_named}")


@dataclass
class Pictures:
    """Speaks as Infinity does, with its limits: one modality a call, 32 images; and has one picture to look at."""

    calls: list[tuple[str, list[str]]] = field(default_factory=list)
    picture: bytes = b"\xff\xd8\xff a picture"
    looked: int = 0
    traced: list[tuple[str, bool]] = field(default_factory=list)

    def application(self) -> web.Application:
        application = web.Application(client_max_size=1 << 26)
        application.router.add_post("/embeddings", self.embed)
        application.router.add_get("/x.jpg", self.look)
        return application

    async def embed(self, request: web.Request) -> web.Response:
        body = await request.json()
        modality, inputs = body["modality"], body["input"]
        self.calls.append((modality, inputs))
        self.traced.append(("embed", "traceparent" in request.headers))
        if modality != "text" and (len(inputs) > 32 or not all(value.startswith("data:") for value in inputs)):
            return web.json_response({"detail": [{"type": "value_error", "msg": "Not a valid data URI"}]}, status=422)
        data = [{"index": at, "embedding": vector(modality, value)} for at, value in enumerate(inputs)]
        return web.json_response({"model": body["model"], "data": data, "usage": {"total_tokens": len(data)}})

    async def look(self, request: web.Request) -> web.Response:
        self.looked += 1
        self.traced.append(("look", "traceparent" in request.headers))
        return web.Response(body=self.picture)


def vector(modality: str, value: str) -> list[float]:
    seed = int.from_bytes(sha256(f"{modality}:{value}".encode()).digest()[:8])
    row = np.random.default_rng(seed).standard_normal(4)
    return (row / np.linalg.norm(row)).tolist()  # type: ignore[no-any-return] # numpy's tolist is untyped


CONFIG = """
tenants: {search: {tier: tier2, keys: [multimodal-key]}}
fetch: {networks: %s}
backends: {pictures: {dialect: infinity, url: "%s"}}
models:
  clip: {backend: pictures, dimensions: 4, modalities: [text, image, audio]}
  plain: {backend: pictures, dimensions: 4}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def pictures() -> AsyncIterator[tuple[Pictures, str]]:
    server = Pictures()
    async with TestServer(server.application()) as running:
        yield server, str(running.make_url("")).rstrip("/")


async def test_a_mixed_list_is_cut_by_kind_and_comes_back_in_order(pictures: tuple[Pictures, str]) -> None:
    server, url = pictures
    images = [base64.b64encode(bytes([250, at])).decode() for at in range(40)]
    sent: list[Any] = [{"image": coded} for coded in images]
    sent[3:3] = ["a text", {"audio": images[0]}]
    sent += ["another", {"url": f"{url}/x.jpg"}, {"image": f"data:image/gif;base64,{images[7]}"}]
    seen = base64.b64encode(server.picture).decode()
    expected = [
        *[vector("image", f"data:image/png;base64,{coded}") for coded in images],
        *(vector("text", "another"), vector("image", f"data:image/png;base64,{seen}")),
        vector("image", f"data:image/png;base64,{images[7]}"),
    ]
    expected[3:3] = [vector("text", "a text"), vector("audio", f"data:audio/wav;base64,{images[0]}")]
    async with launched(CONFIG % ("[127.0.0.0/8]", url), key="multimodal-key") as gateway:
        answer = await gateway.embed(sent, model="clip")
        assert answer.status == 200, answer.json
        assert [entry["embedding"] for entry in answer.json["data"]] == [
            pytest.approx(row, abs=1e-6) for row in expected
        ]
        assert sorted((modality, len(inputs)) for modality, inputs in server.calls) == [
            *(("audio", 1), ("image", 20), ("image", 21), ("text", 2))
        ]
        # The bytes behind the URL are known now; it is looked at again, for they may have changed.
        again = await gateway.embed([{"image": seen}, {"image": f"{url}/x.jpg"}], model="clip")
        assert (again.cached, server.looked, len(server.calls)) == ((2, 0), 2, 4)
        server.picture += b"!"
        wanted = {"model": "clip", "input": [{"image": f"{url}/x.jpg"}]}
        changed = await gateway.post("/v1/embeddings", wanted, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
        assert changed.cached == (0, 1)
        # A client's trace goes on to backends, and never to an address that it names.
        assert server.traced[-2:] == [("look", False), ("embed", True)]
        labelled = await gateway.post("/v1/classify", {"model": "clip", "input": sent[:2], "labels": ["x", "y"]})
        assert labelled.status == 200, labelled.json
        refused = await gateway.embed([{"image": images[0]}], model="plain")
        assert refused.status == 422
        pdf = await gateway.embed({"pdf": images[0]}, model="clip")
        assert "one key of: text or image or audio" in pdf.json["errors"][0]["message"]


async def test_nobody_reaches_into_the_network_by_the_address_of_a_picture(pictures: tuple[Pictures, str]) -> None:
    server, url = pictures
    async with launched(CONFIG % ("[]", url), key="multimodal-key") as gateway:
        for address in (f"{url}/x.jpg", "http://169.254.169.254/latest", "http://localhost/x", "http://0x7f.1/"):
            answer = await gateway.embed(["a", {"image": address}], model="clip")
            assert answer.status == 422, answer.json
            assert answer.json["errors"][0]["field"] == "body -> clip -> input -> 1 -> image"
    assert not server.looked
    assert not server.calls

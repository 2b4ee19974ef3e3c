from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import openai
import pytest
import pytest_asyncio
from fakes.running_gateway import MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.running_gateway import Gateway

TEXTS = ["The harvest was late this year.", "Le pain est cuit.", "🜂 and\tother\nthings"]


@pytest_asyncio.fixture(loop_scope="session")
async def client(local: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key=local.key, base_url=f"{local.url}/v1", max_retries=0) as made:
        yield made


async def test_the_default_base64_and_float_are_the_same_vectors(client: openai.AsyncOpenAI) -> None:
    packed = await client.embeddings.create(model=MODEL, input=TEXTS)
    plain = await client.embeddings.create(model=MODEL, input=TEXTS, encoding_format="float")
    assert [entry.index for entry in packed.data] == [0, 1, 2]
    left, right = (np.array([entry.embedding for entry in made.data], dtype=np.float32) for made in (packed, plain))
    assert np.array_equal(left, right)
    assert np.shape(left) == (3, 384)
    assert np.allclose(np.linalg.norm(left, axis=1), 1, atol=1e-5)
    assert packed.usage == plain.usage
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 10


async def test_the_synchronous_client_gets_the_same(client: openai.AsyncOpenAI, local: Gateway) -> None:
    def embed() -> list[float]:
        with openai.OpenAI(api_key=local.key, base_url=f"{local.url}/v1", max_retries=0) as made:
            return made.embeddings.create(model=MODEL, input=TEXTS[0]).data[0].embedding

    expected = (await client.embeddings.create(model=MODEL, input=TEXTS[0])).data[0].embedding
    assert await asyncio.to_thread(embed) == expected


async def test_fewer_dimensions_are_the_beginning_at_unit_length(client: openai.AsyncOpenAI) -> None:
    whole = np.array((await client.embeddings.create(model=MODEL, input=TEXTS[0])).data[0].embedding)
    short = np.array((await client.embeddings.create(model=MODEL, input=TEXTS[0], dimensions=128)).data[0].embedding)
    assert np.isclose(np.linalg.norm(short), 1, atol=1e-6)
    assert np.allclose(short, whole[:128] / np.linalg.norm(whole[:128]), atol=1e-6)


async def test_the_local_models_are_listed_under_their_real_names_alone(client: openai.AsyncOpenAI) -> None:
    listed = [model async for model in client.models.list()]
    assert [(model.id, model.object) for model in listed] == [
        (f"sentence-transformers/{MODEL}", "model"),
        ("gateway/bm25-wordpiece", "model"),
    ]
    answer = await client.embeddings.create(model=listed[0].id, input="a")
    assert answer.model == MODEL


async def test_a_wrong_key_is_an_authentication_error(local: Gateway) -> None:
    async with openai.AsyncOpenAI(api_key="jina_wrong", base_url=f"{local.url}/v1", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError, match="Invalid API key") as caught:
            await stranger.embeddings.create(model=MODEL, input="a")
    assert caught.value.code == "AUTH_INVALID_API_KEY"
    assert caught.value.type == "authentication_error"


@pytest.mark.parametrize("model", ["no-such-model", "jina-embeddings-v3", "text-embedding-3-small"])
async def test_a_model_that_is_not_served_is_a_bad_request(client: openai.AsyncOpenAI, model: str) -> None:
    with pytest.raises(openai.BadRequestError, match=f"Model '{model}' not found") as caught:
        await client.embeddings.create(model=model, input="a")
    assert caught.value.code == "INPUT_MODEL_NOT_FOUND"


async def test_an_unknown_field_is_named(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="extra_thing") as caught:
        await client.embeddings.create(model=MODEL, input="a", extra_body={"extra_thing": 1})
    assert caught.value.param is not None
    assert caught.value.param.endswith("extra_thing")

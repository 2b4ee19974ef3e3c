"""E: the local model's HTTP routes, in text-embeddings-inference's wire format."""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import orjson
from aiohttp import web
from pydantic import ValidationError

from gateway.processes.local_model import wire
from gateway.processes.local_model.engine import Embedded, Engine, TooLongError, unit
from gateway.processes.local_model.limits import (
    MAX_BATCH_TEXTS,
    MAX_BODY,
    MAX_TOKENS,
    MAX_WAITING,
    MODEL_ID,
    MODEL_SHA256,
)
from gateway.processes.local_model.sparse import weights

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.processes.local_model.engine import Vectors
    from gateway.vocabulary import Json

Body = TypeVar("Body", bound=wire.Body)
Found = TypeVar("Found")


class ModelServer:
    """Answers for one engine. Inference runs in one thread, so the event loop stays free for health checks."""

    def __init__(self, engine: Engine, max_waiting: int = MAX_WAITING) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._max_waiting = max_waiting
        self._waiting = 0

    def application(self) -> web.Application:
        """The routes; each answers JSON, also on failure."""
        application = web.Application(client_max_size=MAX_BODY, middlewares=[_failures])
        application.router.add_get("/health", _health)
        application.router.add_get("/info", _info)
        application.router.add_post("/embed", self._embed)
        application.router.add_post("/embed_all", self._embed_all)
        application.router.add_post("/embed_sparse", self._embed_sparse)
        application.router.add_post("/rerank", self._rerank)
        application.router.add_post("/v1/embeddings", self._openai)
        return application

    async def _embed(self, request: web.Request) -> web.Response:
        """`[[float, …], …]`, one row an input."""
        body = await _read(request, wire.EmbedBody)
        found = await self._vectors(
            wire.listed(body.inputs), truncate=bool(body.truncate), normalize=body.normalize and body.dimensions is None
        )
        vectors = found.vectors
        if body.dimensions is not None:
            vectors = vectors[:, : body.dimensions]
            vectors = unit(vectors) if body.normalize else vectors
        return _json(_rows(vectors), tokens=found.tokens)

    async def _embed_all(self, request: web.Request) -> web.Response:
        """`[[[float, …], …], …]`, one row a token of each input, special ones included, as before pooling."""
        body = await _read(request, wire.TokensBody)
        texts, truncate = wire.listed(body.inputs), bool(body.truncate)

        def answer() -> tuple[bytes, int]:
            found = self._engine.embed_tokens(texts, truncate=truncate)
            rows = [vectors.astype("<f4", order="C") for vectors in found.vectors]
            return orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY), found.tokens

        return _raw(*await self._run(answer))

    async def _embed_sparse(self, request: web.Request) -> web.Response:
        """`[[{index, value}, …], …]`, one list an input; an index is a token's number in the vocabulary."""
        body = await _read(request, wire.TokensBody)
        texts, truncate = wire.listed(body.inputs), bool(body.truncate)
        encoded = await self._run(lambda: self._engine.tokenize(texts, truncate=truncate))
        rows = [[{"index": token, "value": weight} for token, weight in weights(ids).items()] for ids in encoded]
        return _json(rows, tokens=sum(map(len, encoded)))

    async def _rerank(self, request: web.Request) -> web.Response:
        """`[{index, score, text?}, …]`, best first, equal scores in the order given.

        The score is the cosine of two vectors that know nothing of each other (a bi-encoder), from -1 to 1; it costs
        the query's tokens once and each text's.
        """
        body = await _read(request, wire.RerankBody)
        texts = wire.listed(body.texts)
        found = await self._vectors([*wire.listed(body.query), *texts], truncate=bool(body.truncate), normalize=True)
        scores = (found.vectors[1:] @ found.vectors[0]).tolist()
        order = sorted(range(len(texts)), key=lambda index: (-scores[index], index))
        ranking = [
            {"index": index, "score": scores[index], **({"text": texts[index]} if body.return_text else {})}
            for index in order
        ]
        return _json(ranking, tokens=found.tokens)

    async def _openai(self, request: web.Request) -> web.Response:
        """OpenAI's embeddings route; `base64` is little-endian float32."""
        body = await _read(request, wire.OpenAIBody)
        found = await self._vectors(wire.listed(body.input), truncate=True, normalize=True)
        vectors = found.vectors if body.dimensions is None else unit(found.vectors[:, : body.dimensions])
        rows: list[Json] = _rows(vectors)
        if body.encoding_format == "base64":
            rows = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]
        data = [{"object": "embedding", "embedding": row, "index": index} for index, row in enumerate(rows)]
        usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
        return _json({"object": "list", "data": data, "model": body.model or MODEL_ID, "usage": usage}, found.tokens)

    async def _vectors(self, texts: list[str], *, truncate: bool, normalize: bool) -> Embedded:
        return await self._run(lambda: self._engine.embed(texts, truncate=truncate, normalize=normalize))

    async def _run(self, work: Callable[[], Found]) -> Found:
        """Wait for the inference thread; a caller that goes away while waiting costs nothing."""
        if self._waiting >= self._max_waiting:
            raise wire.overloaded()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except TooLongError as error:
            raise wire.invalid(str(error)) from error
        finally:
            self._waiting -= 1


async def _health(_: web.Request) -> web.Response:
    return web.Response()


async def _info(_: web.Request) -> web.Response:
    return _json(
        {
            "model_id": MODEL_ID,
            "model_sha": MODEL_SHA256,
            "model_dtype": "int8",
            "model_type": {"embedding": {"pooling": "mean"}},
            "max_concurrent_requests": MAX_WAITING,
            "max_input_length": MAX_TOKENS,
            "max_client_batch_size": MAX_BATCH_TEXTS,
            "auto_truncate": True,
            "tokenization_workers": 1,
        }
    )


@web.middleware
async def _failures(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except wire.RefusalError as error:
        refusal = error
    except web.HTTPException as error:
        refusal = wire.RefusalError(error.status, "Validation", error.reason)
    body = refusal.openai() if request.path.startswith("/v1/") else refusal.native()
    return _json(body, status=refusal.status)


async def _read(request: web.Request, kind: type[Body]) -> Body:
    try:
        return kind.model_validate(orjson.loads(await request.read()))
    except orjson.JSONDecodeError as error:
        raise wire.RefusalError(400, "Validation", f"the body is not JSON: {error.msg}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise wire.invalid(f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}") from error


def _rows(vectors: Vectors) -> list[Json]:
    return list(vectors.astype("<f4", order="C"))


def _json(body: Json, tokens: int | None = None, status: int = 200) -> web.Response:
    return _raw(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), tokens, status)


def _raw(body: bytes, tokens: int | None = None, status: int = 200) -> web.Response:
    headers = {} if tokens is None else {"x-compute-tokens": str(tokens)}
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")

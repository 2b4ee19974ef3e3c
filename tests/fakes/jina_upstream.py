"""A scriptable stand-in for the Jina API: answers after the contract, counts what it is asked, fails when told to."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pybase64
from aiohttp import web
from fakes.jina_training import Training

from gateway.errors import TransportError
from gateway.ports import Exchange, RawReply

KEY = "jina_" + "u" * 60
SIZES = {"jina-embeddings-v3": 1024, "jina-embeddings-v4": 2048, "jina-colbert-v2": 128, "jina-colbert-v1-en": 128}
PRESENTATION = frozenset({"input", "embedding_type", "dimensions", "normalized", "return_tokenized_input"})


@dataclass
class Fault:
    """What the next call gets instead of an answer; `cut`: the headers, and so many bytes of a body that is longer."""

    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    gate: asyncio.Event | None = None
    cut: int | None = None


@dataclass
class Upstream:
    """Its memory: every request body, the faults to come, and the TCP port that the latest call came from.

    A call with an input among `bad` is refused as a whole; others take `seconds`. `keys` are the keys it takes;
    `presented` are those of all calls, in order. `heads` are the headers of calls over HTTP.
    """

    calls: list[dict[str, Any]] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    caller: int = 0
    keys: set[str] = field(default_factory=lambda: {KEY})
    presented: list[str] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    seconds: float = 0.0
    training: Training = field(default_factory=Training)
    heads: list[dict[str, str]] = field(default_factory=list)

    @property
    def inputs(self) -> list[Any]:
        """Every input and document that was ever asked, in order."""
        return [entry for call in self.calls for entry in call.get("input", call.get("documents", []))]

    def reply(self, path: str, body: bytes, authorization: str, method: str = "POST") -> RawReply:
        """The answer to one call."""
        call = orjson.loads(body or b"{}")
        self.calls.append(call)
        self.presented.append(authorization.removeprefix("Bearer "))
        if not authorization.startswith("Bearer ") or self.presented[-1] not in self.keys:
            return _json(401, {"detail": "Invalid API key", "code": "AUTH_INVALID_API_KEY", "request_id": "0" * 16})
        if self.bad.intersection(str(entry) for entry in call.get("input", call.get("documents", []))):
            return _json(422, {"detail": "Validation error: an input is bad", "request_id": "0" * 16})
        listed = call.get("input", []) if "classifier_id" in call or path == "/v1/train" else []
        tokens = sum(tokens_of(entry.get("text", entry) if isinstance(entry, dict) else entry) for entry in listed)
        if (reply := self.training.answer(method, path, call, tokens)) is not None:
            return reply
        answers = {"rerank": rerank, "classify": classify}
        return _json(200, answers.get(path.rpartition("/")[2], embeddings)(call))

    async def send(self, backend: str, exchange: Exchange, timeout_seconds: float) -> RawReply:
        """The same as a transport (gateway.ports.Transport)."""
        del backend
        if self.faults:
            fault = self.faults.popleft()
            if fault.gate is not None:
                await fault.gate.wait()
            if fault.status == 0 and fault.gate is None:
                self.calls.append(orjson.loads(exchange.body))
                raise TransportError("scripted", timed_out=fault.seconds > timeout_seconds)
            if fault.status:
                self.calls.append(orjson.loads(exchange.body))
                return RawReply(fault.status, fault.headers, fault.body)
        return self.reply(exchange.path, exchange.body, exchange.headers.get("authorization", ""), exchange.method)

    def application(self) -> web.Application:
        """The same over HTTP."""

        async def answer(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            self.heads.append({name.lower(): value for name, value in request.headers.items()})
            assert request.transport is not None
            self.caller = request.transport.get_extra_info("peername")[1]
            if self.faults:
                fault = self.faults.popleft()
                if fault.gate is not None:
                    await fault.gate.wait()
                if fault.seconds:
                    await asyncio.sleep(fault.seconds)
                if fault.cut is not None:
                    self.calls.append(orjson.loads(body))
                    return await _cut_off(request, fault.cut)
                if fault.status:
                    self.calls.append(orjson.loads(body))
                    return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
                if fault.gate is None and not fault.seconds:
                    assert request.transport is not None
                    request.transport.abort()
            await asyncio.sleep(self.seconds)
            reply = self.reply(request.path, body, request.headers.get("authorization", ""), request.method)
            return web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body)

        application = web.Application(client_max_size=1 << 28)
        application.router.add_post("/v1/{name}", answer)
        application.router.add_delete("/v1/classifiers/{name}", answer)
        return application


async def _cut_off(request: web.Request, length: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b"{" * length)
    assert request.transport is not None
    request.transport.abort()
    return response


def _json(status: int, content: object) -> RawReply:
    return RawReply(status, {"content-type": "application/json"}, orjson.dumps(content))


def tokens_of(entry: object) -> int:
    """What an input costs here: its words, at least one."""
    text = entry if isinstance(entry, str) else json.dumps(entry, sort_keys=True)
    return max(1, len(text.split()))


def vector(identity: object, size: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A vector of about unit spread that depends on everything in `identity`."""
    seed = hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(seed)).standard_normal(size).astype("<f4")


def presented(row: np.ndarray[Any, np.dtype[np.float32]], call: dict[str, Any]) -> Any:
    """A row in the form asked for."""
    row = row[: call.get("dimensions") or row.size]
    if call.get("normalized", True):
        row = (row / np.linalg.norm(row.astype(np.float64))).astype("<f4")
    kind = call.get("embedding_type") or "float"
    if isinstance(kind, list):
        return {name: presented(row, {"normalized": False, "embedding_type": name}) for name in kind}
    bits = np.packbits(row > 0)
    match kind:
        case "base64":
            return pybase64.b64encode(row.tobytes()).decode()
        case "ubinary":
            return bits.tolist()
        case "binary":
            return (bits.astype(np.int16) - 128).tolist()
        case _:
            return [float(value) for value in row]


def embeddings(call: dict[str, Any]) -> dict[str, Any]:
    """The contract's answer to POST /v1/embeddings."""
    listed = call["input"] if isinstance(call["input"], list) else [call["input"]]
    model = call["model"]
    size = SIZES.get(model, 1024 if "v5" in model or "clip-v2" in model else 768)
    context = {name: value for name, value in call.items() if name not in PRESENTATION}
    if call.get("late_chunking"):
        context["list"] = listed
    total = sum(tokens_of(entry) for entry in listed)
    if model == "elser-v2":
        data: list[Any] = [dict.fromkeys(str(entry).split(), 1.5) for entry in listed]
        usage = {"total_tokens": total, "input_tokens": total, "output_tokens": 0}
        return {"model": model, "object": "list", "usage": usage, "data": data}
    if "colbert" in model or call.get("return_multivector"):
        data = [multi(entry, context, size, call, at) for at, entry in enumerate(listed)]
    else:
        data = [
            {"object": "embedding", "index": at, "embedding": presented(vector([context, entry], size), call)}
            for at, entry in enumerate(listed)
        ]
    usage = {"total_tokens": total, "prompt_tokens": total}
    return {"model": model, "object": "list", "usage": usage, "data": data}


def multi(entry: object, context: dict[str, Any], size: int, call: dict[str, Any], at: int) -> dict[str, Any]:
    """One multi-vector: a vector a word."""
    words = str(entry).split() or [""]
    rows = [presented(vector([context, word], size), call) for word in words]
    made = {"object": "embeddings", "index": at, "embeddings": rows}
    return made | ({"tokenized_input": words} if call.get("return_tokenized_input") else {})


def rerank(call: dict[str, Any]) -> dict[str, Any]:
    """The contract's answer to POST /v1/rerank: by words in common; listwise ones depend on the list's length, too."""
    query = set(call["query"].split())
    results = []
    for at, document in enumerate(call["documents"]):
        text = document if isinstance(document, str) else json.dumps(document)
        score = len(query & set(text.split())) / (1 + len(text.split()))
        if call["model"] == "jina-reranker-v3":
            score -= len(call["documents"])
        results.append({"index": at, "relevance_score": score})
    results.sort(key=lambda entry: -entry["relevance_score"])
    total = sum(tokens_of(call["query"]) + tokens_of(document) for document in call["documents"])
    return {"model": call["model"], "object": "list", "usage": {"total_tokens": total}, "results": results}


def classify(call: dict[str, Any]) -> dict[str, Any]:
    """The contract's answer to POST /v1/classify: each set's first label gets a half, the next a quarter, and so on."""
    listed = call["input"] if isinstance(call["input"], list) else [call["input"]]
    labels = call["labels"]
    sets = labels if isinstance(labels, dict) else {"": labels}
    shares = {
        name: [{"label": label, "score": 0.5 ** (at + 1)} for at, label in enumerate(sets[name])] for name in sets
    }
    parts: dict[str, Any] = {
        "prediction": {name: sets[name][0] for name in sets},
        "score": dict.fromkeys(sets, 0.5),
        "predictions": shares,
    }
    shown = parts if isinstance(labels, dict) else {name: part[""] for name, part in parts.items()}
    data = [{"object": "classification", "index": at, **shown} for at in range(len(listed))]
    total = sum(tokens_of(entry) for entry in (*listed, *(label for group in sets.values() for label in group)))
    return {"data": data, "usage": {"total_tokens": total}}

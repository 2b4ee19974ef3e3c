"""The part of the Jina API's stand-in that trains classifiers; it remembers only their labels."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.ports import RawReply


@dataclass
class Training:
    """`labels` are those of each classifier that there is. A busy one answers 409."""

    labels: dict[str, list[str]] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)

    def answer(self, method: str, path: str, call: dict[str, Any], tokens: int) -> RawReply | None:
        """The reply to what concerns classifiers, else None; `tokens` are those of the inputs."""
        identifier = path.removeprefix("/v1/classifiers/") if method == "DELETE" else call.get("classifier_id")
        if identifier is not None and identifier not in self.labels:
            return failed(404, "RESOURCE_NOT_FOUND", identifier)
        if identifier in self.busy:
            return failed(409, "CONFLICT_RESOURCE_BUSY", identifier)
        if method == "DELETE":
            return told({"classifier_id": identifier, "gone": bool(self.labels.pop(str(identifier)))})
        if path == "/v1/train":
            return self._train(identifier or str(uuid.uuid4()), call, tokens)
        return self._classify(identifier, call, tokens) if identifier is not None else None

    def _train(self, identifier: str, call: dict[str, Any], tokens: int) -> RawReply:
        examples = call["input"]
        known = self.labels.setdefault(identifier, [])
        known += [label for label in dict.fromkeys(example["label"] for example in examples) if label not in known]
        usage = {"total_tokens": tokens * call["num_iters"]}
        return told({"classifier_id": identifier, "num_samples": len(examples), "usage": usage})

    def _classify(self, identifier: str, call: dict[str, Any], tokens: int) -> RawReply:
        """Always the first label."""
        labels = self.labels[identifier]
        shares = [{"label": label, "score": 1 / len(labels)} for label in labels]
        one = {"object": "classification", "prediction": labels[0], "score": 1 / len(labels), "predictions": shares}
        data = [one | {"index": at} for at in range(len(call["input"]))]
        return told({"data": data, "usage": {"total_tokens": tokens}})


def told(content: object) -> RawReply:
    return RawReply(200, {"content-type": "application/json"}, orjson.dumps(content))


def failed(status: int, code: str, identifier: str) -> RawReply:
    body = {"detail": f"Classifier '{identifier}': {code}", "code": code, "request_id": "0" * 16}
    return RawReply(status, {"content-type": "application/json"}, orjson.dumps(body))

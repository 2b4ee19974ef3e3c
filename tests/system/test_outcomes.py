"""Each row of the outcome table, by the real process in front of two replicas: clients, calls, metrics."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pybase64
import pytest
import pytest_asyncio
from fakes.jina_upstream import KEY, Fault, embeddings
from fakes.running_gateway import launched
from fakes.two_upstreams import DIMENSIONS, Twins, twins

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.running_gateway import Gateway

TEXT = "some text"
SECRET = b"upstream internals"
DOWN, SLOW, ODD = (503, "SERVICE_UNAVAILABLE"), (504, "SERVICE_TIMEOUT"), (422, "INPUT_INVALID")


@dataclass(frozen=True)
class Row:
    """What an upstream does, what that is called in metrics, and what comes of it.

    `rescued`: the client is answered where only the first call fails. Where all fail it is told `failure` after `most`
    calls; None: as many as there is time for. `dead`: nobody listens.
    """

    outcome: str
    faults: list[Fault] = field(default_factory=lambda: [Fault(500, SECRET)])
    rescued: bool = True
    failure: tuple[int, str] = DOWN
    most: int | None = 2
    settings: str = ""
    dead: bool = False


def refused(status: int, **headers: str) -> list[Fault]:
    return [Fault(status, SECRET, {name.replace("_", "-"): value for name, value in headers.items()})]


def instead(**changes: Any) -> list[Fault]:
    """An answer that any model may have given, but for the changes."""
    reply = embeddings({"model": "any", "input": [TEXT], "embedding_type": "base64"})
    del reply["model"]
    return [Fault(200, json.dumps(reply | changes).encode())]


NOT_A_NUMBER = [{"index": 0, "embedding": pybase64.b64encode(np.full(DIMENSIONS, np.nan, "<f4").tobytes()).decode()}]

ROWS = {
    "refused connection": Row("unreachable", [], most=0, dead=True),
    "reset before headers": Row("reset", [Fault()], most=3),
    "reset after headers": Row("reset", [Fault(cut=0)], most=3),
    "reset in the body": Row("reset", [Fault(cut=500)], most=3),
    "timeout": Row("timeout", [Fault(gate=asyncio.Event())], failure=SLOW, settings="timeout: 0.4"),
    "timeout, billed": Row(
        "timeout",
        [Fault(gate=asyncio.Event())],
        rescued=False,
        failure=SLOW,
        most=1,
        settings="timeout: 0.4, billed: true",
    ),
    "400": Row("invalid", refused(400), rescued=False, failure=ODD, most=1),
    "401": Row("refused", refused(401)),
    "402": Row("refused", refused(402)),
    "403": Row("refused", refused(403)),
    "404": Row("refused", refused(404)),
    "model not found": Row(
        "model_not_found",
        [Fault(400, b'{"code": "INPUT_MODEL_NOT_FOUND"}')],
        failure=(400, "INPUT_MODEL_NOT_FOUND"),
    ),
    "413": Row("too_large", refused(413), rescued=False, failure=ODD, most=1),
    "422": Row("invalid", refused(422), rescued=False, failure=ODD, most=1),
    "424": Row("unavailable", refused(424), most=3),
    "429": Row("busy", refused(429), most=None),
    "429 for long": Row("busy", refused(429, Retry_After="120")),
    "500": Row("unavailable", refused(500), most=3),
    "502": Row("unavailable", refused(502), most=3),
    "503 for long": Row("unavailable", refused(503, Retry_After="120")),
    "504": Row("timeout", refused(504), failure=SLOW),
    "garbage": Row("garbage", refused(200)),
    "truncated": Row("garbage", [Fault(200, instead()[0].body[:-9])]),
    "too few": Row("garbage", instead(data=[])),
    "not a number": Row("garbage", instead(data=NOT_A_NUMBER)),
    "another model": Row("garbage", instead(model="jina-clip-v2")),
}
MISFITS = {"refused", "model_not_found"}


def model(name: str) -> str:
    return "m-" + re.sub(r"\W+", "-", name)


def config(pair: Twins, closed: str) -> str:
    """A model and two backends for each row and situation, so that none is judged by what another did to it."""
    backends: dict[str, str] = {}
    models: dict[str, str] = {}
    for name, row in ROWS.items():
        for kind in ("first", "all"):
            own = f"{model(name)}-{kind}"
            urls = [closed if row.dead else pair.urls[0], closed if row.dead and kind == "all" else pair.urls[1]]
            for which, url in zip("xy", urls, strict=True):
                settings = f", {row.settings}" if row.settings else ""
                more = "" if "billed" in settings else ", billed: false"
                backends[own + which] = f'{{dialect: jina, url: "{url}", key: {KEY}, hedge: false{more}{settings}}}'
            models[own] = (
                f"{{backend: {own}x, replicas: [{{backend: {own}y, weight: 0.01}}], dimensions: {DIMENSIONS}, "
                f"cache_scope: off}}"
            )
    listed = [f"  {name}: {text}" for name, text in backends.items()]
    served = [f"  {name}: {text}" for name, text in models.items()]
    return "\n".join(["backends:", *listed, "models:", *served, "server: {timeout: 4}"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair() -> AsyncIterator[Twins]:
    async with twins() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(pair: Twins) -> AsyncIterator[Gateway]:
    with socket.socket() as nobody:  # bound, and not listening
        nobody.bind(("127.0.0.1", 0))
        async with launched(config(pair, "http://127.0.0.1:{1}".format(*nobody.getsockname()))) as made:
            yield made


async def metric(gateway: Gateway, name: str, own: str, **labels: str) -> float:
    text = (await gateway.get("/metrics")).body.decode()
    lines = re.findall(rf'(?m)^{name}\{{(.*backend="{own}[xy]".*)\}} (\S+)$', text)
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(float(value) for found, value in lines if all(label in found for label in wanted))


@pytest.mark.parametrize("name", ROWS)
async def test_the_first_call_fails(gateway: Gateway, pair: Twins, name: str) -> None:
    row, own = ROWS[name], f"{model(name)}-first"
    pair.forget()
    pair.faults.extend(row.faults)
    answer = await gateway.embed(TEXT, model=own)
    for _ in range(10 * row.dead):  # whom chance has the first call ask is not known
        assert (await gateway.embed(TEXT, model=own)).status == 200
    for fault in row.faults:
        if fault.gate is not None:
            fault.gate.set()
    if row.rescued:
        assert answer.status == 200, answer.body
        expected = embeddings({"model": own, "input": [TEXT]})["data"][0]["embedding"]
        assert answer.json["data"][0]["embedding"] == pytest.approx(expected, abs=1e-6)
    else:
        assert answer.failure == row.failure
    assert not pair.faults
    failed = await metric(gateway, "gateway_upstream_calls_total", own, outcome=row.outcome)
    assert failed == 1 or (row.dead and failed)  # there a canary has failed, too
    if "timeout" not in name:  # what nobody waits for is counted later
        assert sum(pair.counts) == (11 if row.dead else 1 + row.rescued)
    assert await metric(gateway, "gateway_upstream_misfits_total", own) == (row.outcome in MISFITS)
    assert SECRET not in answer.body


@pytest.mark.parametrize("name", ROWS)
async def test_every_call_fails(gateway: Gateway, pair: Twins, name: str) -> None:
    row, own = ROWS[name], f"{model(name)}-all"
    pair.forget()
    gate = asyncio.Event()
    pair.faults.extend([Fault(gate=gate) if fault.gate else fault for fault in row.faults] * 30)
    answer = await gateway.embed(TEXT, model=own)
    met = 30 * len(row.faults) - len(pair.faults)
    pair.faults.clear()
    gate.set()
    assert answer.failure == row.failure
    assert met == row.most if row.most is not None else met >= 2
    assert (answer.status == 503) == ("Retry-After" in answer.headers)
    misfits = met if row.outcome in MISFITS else 0
    assert await metric(gateway, "gateway_upstream_misfits_total", own) == misfits
    assert SECRET not in answer.body
    assert KEY not in answer.body.decode() + str(answer.headers)

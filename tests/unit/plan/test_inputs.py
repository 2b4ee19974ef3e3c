from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from fakes.clock import FakeClock

from gateway.config.compile import compile_snapshot
from gateway.config.parse import parse
from gateway.endpoints.embeddings import Embeddings
from gateway.endpoints.media import inline
from gateway.errors import AddressError, Code, GatewayError, TransportError
from gateway.plan import inputs as module
from gateway.plan.inputs import AT_ONCE, SECONDS, Inputs
from gateway.vocabulary import Item, Job, Json, Modality

if TYPE_CHECKING:
    from gateway.config.snapshot import Snapshot

CONFIG = """
server: {body_limit: 100}
backends:
  jina: {dialect: jina, url: "https://up.example", key: k}
  own: {dialect: infinity, url: "http://10.0.0.5:7997"}
models:
  clip: {backend: own, dimensions: 4, modalities: [text, image, audio]}
  plain: {backend: own, dimensions: 4}
"""
URL, OTHER, LAST = (f"https://{name}.example/x.png" for name in "abc")


@dataclass
class Foreign:
    """What is where; an exception is raised."""

    content: dict[str, bytes | Exception]
    asked: list[tuple[str, int, float]] = field(default_factory=list)
    most: int = 0
    running: int = 0

    async def fetch(self, url: str, limit_bytes: int, seconds: float) -> bytes:
        self.asked.append((url, limit_bytes, seconds))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        found = self.content[url]
        if isinstance(found, Exception):
            raise found
        if len(found) > limit_bytes:
            raise TransportError("the answer is too large")
        return found


@pytest.fixture
def snapshot() -> Snapshot:
    return compile_snapshot(parse(CONFIG, "f", {}), secret=b"s", digest=lambda key, _: key.encode())


async def brought(snapshot: Snapshot, foreign: Foreign, sent: Json, model: str = "clip", seconds: float = 60.0) -> Job:
    import orjson  # noqa: PLC0415 - the only use

    clock = FakeClock()
    job = Embeddings().validate(orjson.dumps({"model": model, "input": sent}), snapshot)
    served = snapshot.served[job.model]
    return await Inputs(foreign, clock).bring(job, served, snapshot, clock.monotonic() + seconds)


async def test_bytes_take_the_place_of_urls_and_may_be_stored(snapshot: Snapshot) -> None:
    foreign = Foreign({URL: b"one", OTHER: b"two"})
    coded = b64encode(b"three").decode()
    job = await brought(snapshot, foreign, ["a", {"image": URL}, {"image": coded}, {"audio": OTHER}, {"image": URL}])
    expected = [
        Item.text("a"),
        *(Item(part.modality, (part,)) for part in (inline(Modality.IMAGE, b"one"), inline(Modality.IMAGE, b"three"))),
        *(Item(part.modality, (part,)) for part in (inline(Modality.AUDIO, b"two"), inline(Modality.IMAGE, b"one"))),
    ]
    assert [unit[0] for unit in job.units] == expected
    assert job.storable
    assert sorted(url for url, *_ in foreign.asked) == [URL, OTHER]


@pytest.mark.parametrize(
    ("model", "sent"), [("jina-clip-v2", [{"image": URL}, "a"]), ("plain", [URL]), ("clip", [URL, {"image": "aGk="}])]
)
async def test_what_the_api_follows_itself_and_what_is_no_url_stays(snapshot: Snapshot, model: str, sent: Json) -> None:
    foreign = Foreign({})
    job = await brought(snapshot, foreign, sent, model)
    assert not foreign.asked
    assert job.storable is (model != "jina-clip-v2")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (AddressError("leads to no public address"), "The address leads to no public address"),
        (TransportError("status 404"), "What is there cannot be got: status 404"),
        (b"", "What is there is empty"),
        (b"x" * 101, "What is there cannot be got: the answer is too large"),
    ],
)
async def test_each_that_cannot_be_got_is_named(snapshot: Snapshot, found: bytes | Exception, told: str) -> None:
    with pytest.raises(GatewayError) as caught:
        await brought(
            snapshot, Foreign({URL: found, OTHER: b"x"}), ["a", {"image": URL}, {"image": OTHER}, {"url": URL}]
        )
    assert caught.value.code is Code.INPUT_INVALID
    assert [(error.field, error.message, error.input) for error in caught.value.errors] == [
        (f"body -> clip -> input -> {at} -> image", told, URL) for at in (1, 3)
    ]


async def test_together_they_have_no_more_bytes_than_a_body(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    foreign = Foreign(dict.fromkeys((URL, OTHER, LAST), b"x" * 40))
    with pytest.raises(GatewayError) as caught:
        await brought(snapshot, foreign, [{"image": URL}, {"image": OTHER}, {"image": LAST}])
    assert [(url, size) for url, size, _ in foreign.asked] == [(URL, 100), (OTHER, 60), (LAST, 20)]
    assert [error.field.rpartition(" -> ")[0] for error in caught.value.errors] == ["body -> clip -> input -> 2"]


async def test_few_at_once_and_none_after_the_deadline(snapshot: Snapshot) -> None:
    foreign = Foreign({f"https://{at}.example": b"x" for at in range(20)})
    await brought(snapshot, foreign, [{"image": url} for url in foreign.content])
    assert foreign.most == AT_ONCE
    assert {seconds for *_, seconds in foreign.asked} == {SECONDS}
    late = Foreign({URL: b"x"})
    with pytest.raises(GatewayError, match="no time is left"):
        await brought(snapshot, late, {"image": URL}, seconds=0.0)
    assert not late.asked

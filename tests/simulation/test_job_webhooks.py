"""C: messages to addresses that clients name, over the real client and a real receiver that is not at its best."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING

import orjson
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from fakes.clock import FakeClock
from fakes.notices import FakeNotices
from fakes.observer import FakeObserver
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.errors import AddressError
from gateway.fetch import Fetcher
from gateway.guard import check_posted
from gateway.notify import courier as couriers
from gateway.notify.addresses import ClientAddresses, shown_key, tenant_key
from gateway.notify.courier import Courier
from gateway.notify.delivery import DELAYS
from gateway.notify.job_events import JobEventNotices
from gateway.vocabulary.when import shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from socket import AddressFamily

SECRET = b"the secret of the gateways"
HERE = (ip_network("127.0.0.1/32"),)
DATA = b'{"batch_id":"batch_1","status":"completed"}'


@dataclass
class Receiver:
    """Does what `script` says, one word a call, then takes what comes: a status, or `hang`."""

    script: list[str] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, await request.read()))
        word = self.script.pop(0) if self.script else "204"
        if word == "hang":
            await asyncio.Event().wait()
        return web.Response(status=int(word))

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    application = web.Application()
    application.router.add_post("/{path:.*}", made.take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


class Rebinding(AbstractResolver):
    """A name that has moved to this machine since it was looked at."""

    async def resolve(self, host: str, port: int = 0, family: AddressFamily | int = 0) -> list[ResolveResult]:
        del family
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


class World:
    """One store, one worker."""

    def __init__(self, fetcher: Fetcher) -> None:
        self.clock = FakeClock(start=time.time(), chance=0.0)  # the receiver's library compares with its own clock
        self.notices = FakeNotices(self.clock.monotonic)
        self.observer = FakeObserver()
        self.events = JobEventNotices(self.notices, self.clock)
        self.courier = Courier(self.notices, fetcher, ClientAddresses(SECRET), self.clock, self.observer)

    async def rounds(self, seconds: float) -> None:
        """All that is due within that time, second by second."""
        end = self.clock.now + seconds
        while self.clock.now <= end:
            await self.courier.round()
            self.clock.now += 1


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    made = Fetcher(HERE)
    yield made
    await made.close()


async def test_a_receiver_that_fails_and_hangs_has_it_in_the_end_signed_under_one_id(
    receiver: Receiver, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "TIMEOUT_SECONDS", 0.2)
    world = World(fetcher)
    began = world.clock.epoch()
    receiver.script = ["500", "503", "hang"]
    await world.events.posted("shop", f"http://127.0.0.1:{receiver.port}/hook", "batch.completed", DATA)
    await world.rounds(40)
    assert len(receiver.got) == 4
    assert len(set(receiver.ids)) == 1
    assert world.observer.job_notices == ["retried"] * 3 + ["delivered"]
    assert world.observer.notices == []
    secret = shown_key(tenant_key("shop", SECRET))
    for headers, body in receiver.got:
        said = Webhook(secret).verify(body, headers)
        assert said == {"type": "batch.completed", "timestamp": shown(began), "data": orjson.loads(DATA)}
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(shown_key(tenant_key("other", SECRET))).verify(receiver.got[0][1], receiver.got[0][0])


async def test_the_same_thing_told_again_is_one_message(receiver: Receiver, fetcher: Fetcher) -> None:
    world = World(fetcher)
    url = f"http://127.0.0.1:{receiver.port}/hook"
    for tenant, event, data in (
        ("shop", "batch.completed", DATA),
        ("shop", "batch.completed", DATA),
        ("other", "batch.completed", DATA),
        ("shop", "batch.failed", DATA),
        ("shop", "batch.completed", b"{}"),
        ("shop", "batch.completed", DATA),
    ):
        await world.events.posted(tenant, url, event, data)
        await world.rounds(2)
    assert len(receiver.got) == len(set(receiver.ids)) == 4


async def test_a_name_that_moved_to_a_private_address_is_not_told(receiver: Receiver) -> None:
    fetcher = Fetcher(resolver=Rebinding())
    world = World(fetcher)
    # A port that the guard lets pass, were the address public, so that it is the address that is refused.
    url = str(check_posted("https://rebinding.example.com/hook"))
    await world.events.posted("shop", url, "batch.completed", DATA)
    with pytest.raises(AddressError, match="no public address"):
        await fetcher.post(url, b"", {}, 1.0)
    for wait in (0, *DELAYS):
        world.clock.now += wait
        await world.courier.round()
    assert receiver.got == []
    assert world.observer.job_notices == ["retried"] * len(DELAYS) + ["dead"]
    assert [(letter.notice.tenant, letter.notice.address, letter.why) for letter in world.notices.letters] == [
        ("shop", url, "tries")
    ]
    await fetcher.close()


async def test_a_receiver_that_is_gone_is_dead_for_this_message_only(receiver: Receiver, fetcher: Fetcher) -> None:
    world = World(fetcher)
    receiver.script = ["410"]
    url = f"http://127.0.0.1:{receiver.port}/hook"
    await world.events.posted("shop", url, "batch.completed", DATA)
    await world.rounds(2)
    await world.events.posted("shop", url, "batch.failed", DATA)
    await world.rounds(2)
    assert world.observer.job_notices == ["dead", "delivered"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://10.0.0.1/",
        "https://localhost/",
        "file:///a",
        "https://a@example.com/",
        "s3://b/c",
    ],
)
def test_an_address_that_nobody_may_send_us_to_is_refused_when_it_is_named(url: str) -> None:
    with pytest.raises(AddressError):
        check_posted(url)


def test_private_networks_of_the_operator_may_be_named() -> None:
    assert str(check_posted("http://127.0.0.1:9/x", HERE)) == "http://127.0.0.1:9/x"

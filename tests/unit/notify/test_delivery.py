"""P: signatures, back-off, verdicts."""

from __future__ import annotations

import pytest

from gateway.config.webhooks import Webhook
from gateway.notify.delivery import DELAYS, Verdict, delay, headers, verdict
from gateway.ports import Notice

# The example of the Standard Webhooks specification's own libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE = Notice("msg_p5jXN8AQM9LWM0D4loKWxJek", "abc", '{"test": 2432232314}')


def test_the_signature_is_the_standards() -> None:
    key = Webhook(url="http://h/", secret=SECRET).key
    assert headers(EXAMPLE, key, 1_614_265_330) == {
        "content-type": "application/json",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_plain_secret_signs_as_it_is() -> None:
    assert Webhook(url="http://h/", secret="ä" * 24).key == ("ä" * 24).encode()


def test_an_address_is_named_without_showing_it() -> None:
    one = Webhook(url="http://h/token-1", secret="s" * 24)
    assert len(one.id) == 12
    assert one.id != Webhook(url="http://h/token-2", secret="s" * 24).id
    assert "token" not in repr(one)
    assert "ssss" not in repr(one)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (302, Verdict.FAILED),
        (404, Verdict.FAILED),
        (410, Verdict.GONE),
        (500, Verdict.FAILED),
        (199, Verdict.FAILED),
    ],
)
def test_verdict(status: int, expected: Verdict) -> None:
    assert verdict(status) is expected


def test_delays_grow_and_end_after_about_a_day() -> None:
    tries = [delay(number, 0.0) for number in range(1, len(DELAYS) + 2)]
    assert tries[:4] == [1, 5, 30, 120]
    assert tries[-1] is None
    assert 0.9 * 86_400 < sum(DELAYS) < 86_400
    assert delay(1, 0.5) == pytest.approx(1.1)

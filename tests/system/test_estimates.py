from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fakes.running_gateway import until

if TYPE_CHECKING:
    from fakes.running_gateway import Gateway

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["Never counted before: 0f3a9c77!", "狐狸 jumps 👩‍👩‍👧‍👦", "long " * 400, "x = {1: [2]}\n" * 5_000, "a"]
RATIO = "gateway_token_estimate_ratio"


async def shown(gateway: Gateway, name: str, **labels: str) -> float:
    """The sum of a metric's values for the model."""
    text = (await gateway.get("/metrics")).body.decode()
    wanted = [f'{label}="{value}"' for label, value in {"model": MODEL, **labels}.items()]
    lines = [line for line in text.splitlines() if re.match(rf"{name}\{{", line)]
    return sum(float(line.split()[-1]) for line in lines if all(label in line for label in wanted))


async def test_the_bundled_model_counts_what_was_reserved_to_the_token(local: Gateway) -> None:
    async def exact() -> float:
        return await shown(local, f"{RATIO}_bucket", le="1.0") - await shown(local, f"{RATIO}_bucket", le="0.99")

    before, all_before = await exact(), await shown(local, f"{RATIO}_count")
    for text in TEXTS:
        assert (await local.embed(text, model=MODEL, truncate=True)).status == 200

    async def counted() -> bool:
        return await shown(local, f"{RATIO}_count") - all_before == len(TEXTS)

    await until(counted)
    assert await exact() - before == len(TEXTS)
    assert await shown(local, "gateway_token_excess_total") == 0

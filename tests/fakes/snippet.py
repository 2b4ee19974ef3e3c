"""E: runs a snippet of docs/clients.md by the Python of another environment: {code, names} in, what it made out."""

from __future__ import annotations

import json
import sys
from typing import Any

SHOWN = ("vectors", "others", "order", "models")
MARK = "--- shown: "


def main() -> None:
    given = json.load(sys.stdin)
    names: dict[str, Any] = dict(given["names"])
    exec(given["code"], names)  # noqa: S102 - our own documentation
    print(MARK + json.dumps({name: names[name] for name in SHOWN if name in names}))


if __name__ == "__main__":
    main()

"""What `make audit` says of deploy/requirements.lock: whether it is whole and ours, and what is known against it.

The first half needs no network and fails the build. The second asks a service of known vulnerabilities through
pip-audit (OSV), and says so where that is not installed or nobody answers: who builds without a network still builds.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "deploy" / "requirements.lock"
EXTRAS = ("local", "s3", "gcs")
"""What the image installs beside the package's own dependencies."""

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(?P<version>[^\s;\\]+)(?P<marker>\s*;[^\\]*)?\s*\\?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\s*\\?")
_SECONDS = 180


def problems(lock: str, project: dict[str, Any]) -> list[str]:
    """What is wrong with a lock's text, given pyproject's `project`; none where all is well."""
    found, pins, pin = [], dict[tuple[str, str], str](), None
    hashes = dict[tuple[str, str], int]()
    for number, line in enumerate(lock.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if match := _PIN.fullmatch(text):
            pin = (canonicalize_name(match["name"]), match["marker"] or "")
            if {pin, (pin[0], "")} & pins.keys():  # one for each kind of machine is no repetition
                found.append(f"line {number}: {pin[0]} a second time")
            pins[pin] = match["version"]
            hashes[pin] = 0
        elif _HASH.fullmatch(text) and pin:
            hashes[pin] += 1
        else:
            found.append(f"line {number}: neither a pinned package nor its hash: {text[:60]}")
    found += [f"{name}: no hash" for (name, _), count in hashes.items() if not count]
    return found + [text for entry in wanted(project) if (text := _misfit(entry, pins))]


def wanted(project: dict[str, Any]) -> list[Requirement]:
    """What the lock must hold."""
    optional = project["optional-dependencies"]
    return [Requirement(text) for text in (*project["dependencies"], *(e for name in EXTRAS for e in optional[name]))]


def _misfit(entry: Requirement, pins: dict[tuple[str, str], str]) -> str:
    versions = [version for (name, _), version in pins.items() if name == canonicalize_name(entry.name)]
    if not versions:
        return f"{entry.name}: in pyproject.toml, not in the lock; run `make lock`"
    unfit = [version for version in versions if not entry.specifier.contains(version, prereleases=True)]
    return f"{entry.name} {unfit[0]}: pyproject.toml wants {entry.specifier}; run `make lock`" if unfit else ""


def known_against(program: Path) -> str | list[str]:
    """Vulnerabilities as lines, or a sentence that says why nobody knows."""
    if not program.exists():
        return "pip-audit is not installed"
    command = (program, "--requirement", LOCK, "--disable-pip", "--vulnerability-service", "osv", "--format", "json")
    try:
        done = subprocess.run(
            [*map(str, command), "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        report = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return "no answer in time"
    except json.JSONDecodeError:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return f"no vulnerability service in reach ({last[:120]})"
    return [
        f"{each['name']} {each['version']}: {known['id']}, mended in {', '.join(known['fix_versions']) or 'no version'}"
        for each in report["dependencies"]
        for known in each.get("vulns", ())
    ]


def main() -> int:
    """Print what was found; 1 if something must be done."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wrong = problems(LOCK.read_text(), project)
    if not wrong:
        print(f"audit: every package of {LOCK.name} is pinned, hashed and as pyproject.toml wants it")
    known = known_against(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("pip-audit"))
    if isinstance(known, str):
        print(f"audit: NOT ASKED for known vulnerabilities: {known}")
        known = []
    elif not known:
        print("audit: no known vulnerabilities")
    for line in (*wrong, *known):
        print(f"audit: {line}")
    return int(bool(wrong or known))


if __name__ == "__main__":
    sys.exit(main())

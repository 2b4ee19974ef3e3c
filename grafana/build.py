"""E: `python grafana/build.py` writes the dashboards and rules that are kept beside it."""

from __future__ import annotations

from pathlib import Path

from artefacts import files

if __name__ == "__main__":
    for path, text in files().items():
        (Path(__file__).parent / path).write_text(text)

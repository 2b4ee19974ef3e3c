"""What fakes.probes notes is what a trace function sees, but for `except` and `case`: they run once they are chosen."""

from __future__ import annotations

import ast
import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
from coverage import Coverage, CoverageData
from fakes.probes import RAN, Probes, probed

if TYPE_CHECKING:
    from pathlib import Path
    from types import CodeType

CASES = {
    "text and future first": '''
"""P: a module."""
from __future__ import annotations
from math import (
    pi,
)
X: float = pi
''',
    "branches": """
def of(n):
    if n > 2:
        return "many"
    elif n == 2:
        return "two"
    else:
        return (
            "few"
        )
of(1)
""",
    "loops": """
def of(n):
    for i in range(n):
        if i == 1:
            continue
        x = i
    else:
        y = 1
    while n:
        break
    else:
        z = 1
of(3)
""",
    "errors": """
def of(fails):
    try:
        if fails:
            raise ValueError
        x = 1
    except KeyError:  # TRIED
        x = 2
    except (ValueError, TypeError):
        x = 3
    else:
        x = 4
    finally:
        y = 5
    return x
assert of(True) == 3
""",
    "forms": """
def of(value):
    match value:
        case 1:  # TRIED
            return "one"
        case [
            x,
            y,
        ]:
            return "two"
        case _:
            pass
    return "other"
of([1, 2])
""",
    "classes": '''
def same(made):
    return made
@same
class Made:
    """With a text."""
    x = 1
    @staticmethod
    @same
    def of():
        """Only a text."""
    @property
    def unused(self):
        return self.x
Made.of()
''',
    "asynchronous": """
async def of(items):
    async with items as it:
        async for one in it:
            yield one
    return
def other():
    global Y
    Y = [
        1 for _ in range(3)
    ]; Z = lambda: 1
    with open("/dev/null") as f:
        del Z
other()
""",
}


def missing_of(path: Path, data: CoverageData) -> set[int]:
    measured = Coverage(data_file=None, config_file=False)
    measured.get_data().update(data)
    _, _, _, missing, _ = measured.analysis2(str(path))
    return set(missing)


def run(code: CodeType, **names: Any) -> None:
    exec(code, {"__name__": "looked_at", **names})  # noqa: S102 - the sources above


@pytest.mark.parametrize("name", CASES)
def test_probes_note_the_lines_that_a_trace_function_sees(name: str, tmp_path: Path) -> None:
    path, source = tmp_path / "looked_at.py", CASES[name].lstrip()
    path.write_text(source)
    tracing = Coverage(data_file=None, config_file=False, include=[str(path)])
    with tracing.collect():
        run(compile(source, path, "exec"))
    ran = bytearray(source.count("\n") + 1)
    run(compile(probed(ast.parse(source)), path, "exec"), **{RAN: ran})
    noted = CoverageData(no_disk=True)
    noted.add_lines({str(path): [line for line, seen in enumerate(ran) if seen]})
    tried = {number for number, line in enumerate(source.splitlines(), 1) if line.endswith("# TRIED")}
    assert missing_of(path, noted) == missing_of(path, tracing.get_data()) | tried


PURE = """\"\"\"P: a module.\"\"\"
def unused():
    return 1
"""


def test_only_pure_modules_of_the_package_get_probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "looked_into"
    package.mkdir()
    for name, source in {"__init__": "", "pure": PURE, "edge": PURE.replace("P:", "E:")}.items():
        (package / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    probes = Probes("looked_into")
    probes.install()
    pure, edge = (importlib.import_module(f"looked_into.{name}") for name in ("pure", "edge"))
    assert probes.lines() == {str(package / "pure.py"): [1, 2]}
    assert [hasattr(module, RAN) for module in (pure, edge)] == [True, False]
    pure.unused()
    importlib.reload(pure)
    assert probes.lines() == {str(package / "pure.py"): [1, 2, 3]}
    with pytest.raises(RuntimeError, match="too late"):
        Probes("looked_into").install()

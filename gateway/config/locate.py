"""P: YAML text → plain data with the line of every setting; what is wrong with its structure is collected."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import yaml

from gateway.config.interpolate import mask
from gateway.config.problem import ConfigError, Origin, Path, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.interpolate import Masked
    from gateway.vocabulary import Json

_STANDARD_TAG = "tag:yaml.org,2002:"
_NULL = "tag:yaml.org,2002:null"
_NAMES_IN_MESSAGE = re.compile(r" ?'[^'<]{2,}'")


@dataclass(slots=True)
class Located:
    """Settings as written: every scalar is its text (the schema says its type), `None` where nothing was written.

    `failed` are the paths whose value is not usable, so that nobody complains about them a second time.
    """

    origin: Origin
    data: dict[str, Json] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    failed: set[Path] = field(default_factory=set)


def locate(text: str, name: str, environment: Mapping[str, str]) -> Located:
    """Read the structure of a YAML text and fill in its references.

    Raises:
        ConfigError: the text is not YAML, or is not a mapping of sections; then nothing else can be said about it.
    """
    masked = mask(text)
    root = _compose(masked.text, name)
    lines: dict[Path, int] = {}
    located = Located(Origin(name, lines))
    if root is None or root.tag == _NULL:
        return located
    lines[()] = root.start_mark.line + 1
    if not isinstance(root, yaml.MappingNode):
        problem = located.origin.problem((), "not a mapping of sections", "write `section:` and its settings below it")
        raise ConfigError([problem])
    located.data = _Reading(masked, environment, located, lines, [root]).mapping(root, ())
    return located


def _compose(text: str, name: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        reason = _NAMES_IN_MESSAGE.sub("", error.problem or "").removeprefix("but ")
        marks = [error.problem_mark, error.context_mark]
        if "end of stream" in reason:
            marks.reverse()  # what was opened and never closed says more than the end of the file
        _refuse(name, next((mark.line + 1 for mark in marks if mark), None), reason)
    except yaml.reader.ReaderError as error:
        _refuse(name, text.count("\n", 0, error.position) + 1, "found a character that YAML does not allow")
    except (ValueError, OverflowError):  # PyYAML does not catch an escape beyond the last code point
        _refuse(name, None, "found an escape of a character that there is not")
    return node


def _refuse(name: str, line: int | None, reason: str) -> NoReturn:
    # The parser's words may quote a name from the file, which may be half of a secret: `reason` comes without.
    remedy = "correct it here or just above, and quote values that hold any of : # { } [ ] & * ! | > % @"
    raise ConfigError([Problem(name, line, "", f"not valid YAML ({reason})", remedy)]) from None


@dataclass(slots=True)
class _Reading:
    masked: Masked
    environment: Mapping[str, str]
    located: Located
    lines: dict[Path, int]
    around: list[yaml.Node] = field(default_factory=list)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in result:
                first = self.lines[here]
                self.fail(here, f"written twice, first in line {first}", "keep one of the two", key_node)
                continue
            self.lines[here] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, here)
        return result

    def key(self, node: yaml.Node, path: Path) -> str | None:
        """A setting's name; None (and a problem) when it is not a plain name."""
        if not isinstance(node, yaml.ScalarNode):
            self.fail(path, "a name that is not plain text", "quote values that begin with a brace or bracket", node)
        elif self.masked.marker in node.value or "${" in node.value:
            self.fail(path, "a reference in place of a name", "write the name itself; only values can refer", node)
        elif node.tag == "tag:yaml.org,2002:merge":
            self.fail(path, "merge keys (`<<`) are not supported", "write the settings out", node)
        else:
            return str(node.value)
        return None

    def value(self, node: yaml.Node, path: Path) -> Json:
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        if any(node is outer for outer in self.around):
            self.fail(path, "a YAML alias to what it stands in", "write the settings out")
            return None
        self.around.append(node)
        value = self.mapping(node, path) if isinstance(node, yaml.MappingNode) else self.sequence(node, path)
        self.around.pop()
        return value

    def sequence(self, node: yaml.Node, path: Path) -> list[Json]:
        values = []
        for position, child in enumerate(node.value):
            here = (*path, position)
            self.lines[here] = child.start_mark.line + 1
            values.append(self.value(child, here))
        return values

    def scalar(self, node: yaml.ScalarNode, path: Path) -> str | None:
        if not node.tag.startswith(_STANDARD_TAG):
            self.fail(path, "YAML tags are not supported", "quote a value that begins with !")
            return None
        plain = node.style is None
        if plain and node.tag == _NULL:
            return None
        expansion = self.masked.expand(node.value, self.environment)
        for what, remedy in expansion.failures:
            self.fail(path, what, remedy)
        if not expansion.failures and not _encodable(expansion.text):
            self.fail(path, "half of a surrogate pair, which is no character", "write the character itself")
            return None
        if expansion.failures or (plain and expansion.referenced and not expansion.text):
            return None
        return expansion.text

    def fail(self, path: Path, what: str, remedy: str, node: yaml.Node | None = None) -> None:
        """Note a problem at `node`, or else at the line where the path was written; the value counts as absent."""
        problem = self.located.origin.problem(path, what, remedy)
        if node is not None:
            problem = Problem(problem.source, node.start_mark.line + 1, problem.key, what, remedy)
        else:
            self.located.failed.add(path)
        self.located.problems.append(problem)


def _encodable(text: str) -> bool:
    # The environment's own way to carry bytes that are not UTF-8 is fine, for paths.
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True

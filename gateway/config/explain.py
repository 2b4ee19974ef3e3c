"""P: a schema violation → what is wrong and how to mend it, in words that fit a configuration file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args, get_origin

from gateway.config.problem import suggestion
from gateway.config.schema import Config
from gateway.config.section import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from gateway.config.problem import Origin, Path, Problem

_PRICE = "write a plain decimal number such as 0.00000002"
_DOLLARS = "write a plain decimal number of US dollars such as 5.00"
_FORMS = {
    "price": _PRICE,
    "prices": _PRICE,
    "starting_usd": _DOLLARS,
    "usd": _DOLLARS,
    "memory_limit": "write a whole number and kb, mb or gb, such as 512mb",
    "service_price": _PRICE,
    **dict.fromkeys(("reader_url", "search_url", "ground_url", "segment_url"), "write https://host, without ? or #"),
    "prefix": "use letters, digits and . _ -, 32 characters at most",
    "url": "write http://host:port, https://host, unix:/path/to.sock, or embedded for the bundled model",
    "keys": "a key has no spaces",
}
_NAME_FORM = "use letters, digits and . _ : / - (first a letter or digit), 128 characters at most"
_SETTING_LIKE = re.compile(r"[A-Za-z][A-Za-z_.-]{0,39}")


def listed(section: str) -> bool:
    """Whether a section is a list of entries."""
    return get_origin(Config.model_fields[section].annotation) is tuple


def _sections() -> dict[str, tuple[type[Section], bool]]:
    found = {}
    for name, field in Config.model_fields.items():
        named = get_origin(field.annotation) in (dict, tuple)
        section = get_args(field.annotation)[not listed(name)] if named else field.annotation
        if not (isinstance(section, type) and issubclass(section, Section)):
            raise TypeError(f"{name} is not a section")
        found[name] = (section, named)
    return found


SECTIONS: Mapping[str, tuple[type[Section], bool]] = _sections()
"""Each section's schema, and whether it maps names (of tenants, of backends …) to it, or is a list of it."""


def explain(error: ErrorDetails, origin: Origin) -> Problem:
    """Put one pydantic error into words; its input is never shown, it may be a secret."""
    path: Path = error["loc"]
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_setting(path, origin)
    if path[-1] == "[key]":
        return origin.problem(path[:-1], "not a usable name", _NAME_FORM)
    if kind == "missing":
        return origin.problem(path, "missing", f"add it: {_describe(path)}")
    if error["input"] is None:
        return origin.problem(path, "has no value", "give it one, or leave the line out for the default")
    what, remedy = _WORDS.get(kind, _other)(path, error.get("ctx", {}))
    return origin.problem(path, what, remedy)


def field_of(path: Path) -> FieldInfo | None:
    """The schema of the setting at a path (or of the list that it is in)."""
    return _walk(path)[1]


def _walk(path: Path) -> tuple[type[Section] | None, FieldInfo | None, str]:
    """The innermost section that a path leads into, the last setting on it, and that setting's name."""
    section, named = SECTIONS.get(str(path[0]), (None, False))
    field, name = None, ""
    for part in path[2 if named else 1 :]:
        if section is not None and part in section.model_fields:
            name = str(part)
            field = section.model_fields[name]
            section = _nested(field.annotation) or section
    return section, field, name


def _nested(annotation: object) -> type[Section] | None:
    """The section in an annotation such as `tuple[Section, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _nested(part))), None)


def _describe(path: Path) -> str:
    field = field_of(path)
    return (field.description if field else None) or "see config.example.yaml"


def _unknown_setting(path: Path, origin: Origin) -> Problem:
    name = str(path[-1])
    # A literal secret without its name (`{tier: free, s3cr3t}`) would stand here; settings do not look like that.
    shown = path if _SETTING_LIKE.fullmatch(name) else (*path[:-1], "?")
    if len(path) == 1:
        known, homes = (
            set(SECTIONS),
            [section for section, (model, _) in SECTIONS.items() if name in model.model_fields],
        )
        what = "unknown section"
    else:
        section = _walk(path[:-1])[0] or SECTIONS[str(path[0])][0]
        known, homes = set(section.model_fields), []
        what = "unknown setting"
    remedy = f"`{name}` belongs under `{homes[0]}`" if homes else suggestion(name, known)
    line = origin.line(path)
    problem = origin.problem(shown, what, remedy)
    return type(problem)(problem.source, line, problem.key, what, remedy)


def _form(path: Path, _context: Mapping[str, object]) -> tuple[str, str]:
    return "not of the right form", _FORMS.get(_walk(path)[2], _NAME_FORM)


def _number(noun: str) -> Callable[[Path, Mapping[str, object]], tuple[str, str]]:
    def words(path: Path, _context: Mapping[str, object]) -> tuple[str, str]:
        return f"not {noun}", f"write {noun} ({_describe(path)})"

    return words


def _bound(word: str, key: str, remedy: str) -> Callable[[Path, Mapping[str, object]], tuple[str, str]]:
    def words(_path: Path, context: Mapping[str, object]) -> tuple[str, str]:
        value = context[key]
        return f"too {word}", remedy.format(f"{value:g}" if isinstance(value, float) else value)

    return words


def _short(_path: Path, context: Mapping[str, object]) -> tuple[str, str]:
    if context["min_length"] == 1:
        return "empty", "give it a value, or leave the line out"
    return "too short", f"use at least {context['min_length']} characters"


def _fixed(what: str, remedy: str) -> Callable[[Path, Mapping[str, object]], tuple[str, str]]:
    return lambda _path, _context: (what, remedy)


def _choice(_path: Path, context: Mapping[str, object]) -> tuple[str, str]:
    return "not an allowed value", f"write {context['expected']}".replace("'", "")


def _other(path: Path, _context: Mapping[str, object]) -> tuple[str, str]:
    return "not usable", f"see what it means: {_describe(path)}"


_SETTINGS = _fixed("takes settings of its own", "write them below it as `name: value` lines")
_WORDS: Mapping[str, Callable[[Path, Mapping[str, object]], tuple[str, str]]] = {
    "int_parsing": _number("a whole number"),
    "int_type": _number("a whole number"),
    "int_parsing_size": _number("a whole number"),
    "decimal_parsing": _number("a number"),
    "decimal_type": _number("a number"),
    "finite_number": _number("a number"),
    "float_parsing": _number("a number"),
    "float_type": _number("a number"),
    "bool_parsing": _fixed("neither true nor false", "write true or false"),
    "bool_type": _fixed("neither true nor false", "write true or false"),
    "greater_than_equal": _bound("small", "ge", "write {} or more"),
    "greater_than": _bound("small", "gt", "write more than {}"),
    "less_than_equal": _bound("large", "le", "write {} or less"),
    "literal_error": _choice,
    "enum": _choice,
    "string_pattern_mismatch": _form,
    "string_too_short": _short,
    "string_type": _fixed("takes one value", "write plain text, not a list or settings"),
    "tuple_type": _fixed("takes a list", "write it in brackets: [a, b]"),
    "dict_type": _SETTINGS,
    "model_type": _SETTINGS,
}

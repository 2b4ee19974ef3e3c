"""P: configuration text → Config, or every problem in it with file, line, key and remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gateway.config.explain import SECTIONS, explain, listed
from gateway.config.locate import locate
from gateway.config.problem import ConfigError, Origin, Problem
from gateway.config.references import check_references, warnings
from gateway.config.schema import Config, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.locate import Located
    from gateway.vocabulary import Json


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, where it was written, and what deserves a second look."""

    config: Config
    origin: Origin
    warnings: tuple[Problem, ...] = ()


def parse(text: str, name: str, env: Mapping[str, str]) -> Config:
    """The configuration that a YAML text describes; an empty text is all defaults.

    `name` is how problems call the file; `env` answers `${NAME}` references.

    Raises:
        ConfigError: everything that is wrong with it.
    """
    return read(text, name, env).config


def read(text: str, name: str, env: Mapping[str, str]) -> Loaded:
    """As `parse`, with the places of settings and warnings beside the configuration.

    Raises:
        ConfigError: everything that is wrong with it.
    """
    located = locate(text, name, env)
    _fill_empty(located.data)
    try:
        config = Config.model_validate(located.data)
    except ValidationError as error:
        raise ConfigError([*located.problems, *_violations(error, located)]) from None
    problems = [*located.problems, *_unrelated(check_references(config, located.origin), located)]
    if problems:
        raise ConfigError(problems)
    return Loaded(config, located.origin, tuple(warnings(config, located.origin)))


def override(
    config: Config,
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    data_dir: str | None = None,
) -> Config:
    """The configuration with what was given on the command line in place of what the file says.

    Raises:
        ConfigError: a value is out of bounds; the key is the option's name.
    """
    options = {"host": host, "port": port, "workers": workers, "data_dir": data_dir}
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        return config
    written = {name: getattr(config.server, name) for name in config.server.model_fields_set}
    try:
        server = Server.model_validate({**written, **given})
    except ValidationError as error:
        raise ConfigError(_option_problems(error)) from None
    return config.model_copy(update={"server": server})


def _option_problems(error: ValidationError) -> list[Problem]:
    problems = []
    for violation in error.errors(include_url=False):
        problem = explain({**violation, "loc": ("server", *violation["loc"])}, Origin())
        option = "--" + str(violation["loc"][0]).replace("_", "-")
        problems.append(Problem("command line", None, option, problem.what, problem.remedy))
    return problems


def _fill_empty(data: dict[str, Json]) -> None:
    """A section, an entry or a list with nothing below it is empty, as it looks, not null."""
    for section, (_, named) in SECTIONS.items():
        if section in data and data[section] is None:
            data[section] = [] if listed(section) else {}
        entries = data.get(section)
        if not named or not isinstance(entries, dict):
            continue
        for name, entry in entries.items():
            if entry is None:
                entries[name] = {}
            elif isinstance(entry, dict) and entry.get("keys", ()) is None:
                entry["keys"] = []


def _unrelated(problems: list[Problem], located: Located) -> list[Problem]:
    """The problems that do not merely follow from a value that could not be read."""
    failed = {".".join(map(str, path)) for path in located.failed}
    return [p for p in problems if not any(f == p.key or f.startswith(f"{p.key}.") for f in failed)]


def _violations(error: ValidationError, located: Located) -> list[Problem]:
    found = []
    for violation in error.errors(include_url=False):
        path = violation["loc"]
        if any(path[:length] in located.failed for length in range(len(path) + 1)):
            continue
        found.append(explain(violation, located.origin))
    return found

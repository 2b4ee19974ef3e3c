"""E: `gateway backends`: asks each backend how it is and what it takes, by routes that cost nothing."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path  # noqa: TC003 - typer reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.backends.dialect import CallLimits
    from gateway.config.backends import Backend
    from gateway.config.schema import Config
    from gateway.ports import Exchange, RawReply
    from gateway.upstream import Upstream

SECONDS = 5.0
UNWELL = 1
_OK = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """How a backend is; `models` is what it tells of each, in words."""

    name: str
    dialect: str
    address: str
    health: str
    well: bool
    models: dict[str, list[str]]


def backends(
    *,
    config: Annotated[Path | None, typer.Option(help="YAML file; by default $GATEWAY_CONFIG, else defaults.")] = None,
    text: Annotated[str, typer.Option(help="What the backends' own tokenizers are to count.")] = "Hello, world!",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Ask every backend how it is and what a call may carry; exit code 1 where one is not well."""
    # Imported here: none of it is of use to `gateway --help`.
    from gateway.cli.load import load_config  # noqa: PLC0415 - see above
    from gateway.config.defaults import with_defaults  # noqa: PLC0415 - see above
    from gateway.config.problem import ConfigError  # noqa: PLC0415 - see above

    try:
        settings = with_defaults(load_config(config).config)
    except (ConfigError, OSError) as error:
        typer.echo(f"{error}; `gateway check` says more", err=True)
        raise typer.Exit(UNWELL) from None
    found = asyncio.run(_ask_all(settings, text))
    if as_json:
        typer.echo(json.dumps({"backends": [asdict(seen) for seen in found]}))
    else:
        for seen in found:
            typer.echo("\n  ".join(_lines(seen)))
    if not all(seen.well for seen in found):
        raise typer.Exit(UNWELL)


async def _ask_all(config: Config, text: str) -> list[Seen]:
    from gateway.config.defaults import EMBEDDED  # noqa: PLC0415 - as in `backends`
    from gateway.upstream import Upstream  # noqa: PLC0415 - as above

    upstream, found = Upstream(config.backends, config.fetch.networks), []
    try:
        for name, backend in config.backends.items():
            if backend.url == EMBEDDED:
                said = "the bundled model, which runs with `gateway serve`"
                found.append(Seen(name, backend.dialect, said, "", well=True, models={}))
            else:
                found.append(await _ask(upstream, config, name, backend, text))
    finally:
        await upstream.close()
    return found


async def _ask(upstream: Upstream, config: Config, name: str, backend: Backend, text: str) -> Seen:
    """What is said of one backend, and whether it is well, as far as can be known for nothing."""
    from gateway.backends import DIALECTS  # noqa: PLC0415 - as in `backends`
    from gateway.backends.tokenizing import tokenize, tokens_of  # noqa: PLC0415 - as above
    from gateway.config.addresses import address  # noqa: PLC0415 - as above
    from gateway.config.serving import served_models  # noqa: PLC0415 - as above

    dialect, key = next(each for each in DIALECTS if each.name == backend.dialect), backend.credentials[0]
    said, well = await health(upstream, name, backend)
    seen = Seen(name, backend.dialect, address(backend.url), said, well, models={})
    routes = [route for served in served_models(config).values() for route in served.routes if route.backend == name]
    for model in sorted({route.backend_model for route in routes}):
        _, told = await _send(upstream, name, dialect.inquire(key))
        _, counted = await _send(upstream, name, tokenize(backend.dialect, model, text, key))
        known = [] if told is None else _limits(dialect.learn(told, model))
        tokens = None if counted is None else tokens_of(backend.dialect, counted)
        known += [] if tokens is None else [f"{tokens} tokens in {text!r}"]
        seen.models[model] = known
    return seen


def _lines(seen: Seen) -> list[str]:
    lines = [f"{seen.name}: {seen.dialect}, {seen.address}"]
    lines += [f"health  {seen.health}"] if seen.health else []
    return lines + [
        f"model   {model}: {', '.join(known) or 'it tells nothing'}" for model, known in seen.models.items()
    ]


async def health(upstream: Upstream, name: str, backend: Backend) -> tuple[str, bool]:
    """What a backend says of itself, in a word, and whether it is well, as far as can be known for nothing."""
    from gateway.backends import DIALECTS  # noqa: PLC0415 - as in `backends`
    from gateway.ports import Exchange  # noqa: PLC0415 - as above

    dialect = next(each for each in DIALECTS if each.name == backend.dialect)
    asked = None if dialect.health is None else Exchange("GET", dialect.health)
    said, reply = await _send(upstream, name, asked)
    return said, asked is None or (reply is not None and reply.status == _OK)


async def _send(upstream: Upstream, name: str, exchange: Exchange | None) -> tuple[str, RawReply | None]:
    """What came of a request, in a word, and its reply."""
    from gateway.errors import TransportError  # noqa: PLC0415 - as in `backends`

    if exchange is None:
        return "not known: it has no route that costs nothing", None
    try:
        reply = await upstream.send(name, exchange, SECONDS)
    except TransportError as error:
        return f"cannot be reached: {error}", None
    return ("well" if reply.status == _OK else f"not well: {exchange.path} says {reply.status}"), reply


def _limits(limits: CallLimits) -> list[str]:
    named = (
        ("inputs a call", limits.inputs),
        ("documents a call", limits.documents),
        ("tokens a call", limits.tokens),
        ("bytes a call", limits.size),
        ("tokens an input", limits.each),
    )
    return [f"{count:,} {what}" for what, count in named if count is not None]

"""P: the parts of a request that many dialects have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.ports import Exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.backends.dialect import Ask
    from gateway.vocabulary import Json


def texts(ask: Ask) -> list[str]:
    """The inputs as plain strings; that they are texts is made sure of by the models' schemas and the config."""
    return [part.value for unit in ask.units for item in unit for part in item.parts]


def bearer(credential: str | None) -> dict[str, str]:
    """The header of a bearer token, if there is one."""
    return {"authorization": f"Bearer {credential}"} if credential else {}


def post(path: str, body: Mapping[str, Json], authorization: Mapping[str, str]) -> Exchange:
    """A `POST` of JSON."""
    headers = {"content-type": "application/json", "accept": "application/json", **authorization}
    return Exchange("POST", path, orjson.dumps(body), headers)


def given(**fields: Json) -> dict[str, Json]:
    """The fields that are not None: some servers refuse a null where they would take nothing."""
    return {name: value for name, value in fields.items() if value is not None}

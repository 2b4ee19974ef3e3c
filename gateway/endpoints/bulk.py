"""P: the older bulk route's contract: a form with a CSV file → a batch's lines; a batch → a bulk job."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from gateway.errors import FieldError, invalid_request
from gateway.ports.jobs import State
from gateway.vocabulary.when import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.errors import GatewayError
    from gateway.ports.jobs import Batch
    from gateway.vocabulary import Json

PATH: Final = "/v1/bulk-embeddings"
BELOW: Final = f"{PATH}/"
RESULT: Final = "download-result"

FIELDS: Final = frozenset({"file", "email", "model"})

_TEXT = ("text", "input", "content", "sentence")
"""What a header may call the column of texts; the first of these that it has counts."""

_NAME = ("custom_id", "id")

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}")
_LONGEST_NAME = 255

_STATUS = {State.PENDING: "waiting", State.PROCESSING: "in-progress", State.COMPLETED: "completed"}
"""Every other state is `failed`, with a sentence in `error`."""

_ENDS = {State.CANCELLED: "The job was cancelled", State.EXPIRED: "The job has expired and its result is deleted"}


@dataclass(frozen=True, slots=True)
class Field:
    """A part of the form; `file_name` is the one that the client gave it, if it did."""

    content: bytes
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A checked form; the file's rows are not read yet."""

    model: str
    file: bytes
    file_name: str
    email: str


def read_form(fields: Mapping[str, Field]) -> Upload:
    """What a form asks for. Raises GatewayError: INPUT_INVALID, naming each field that is missing or wrong."""
    wrong = [_error(name, "Field required", "missing") for name in ("file", "model") if name not in fields]
    wrong += [_error(name[:100], "is not a field here", "extra_forbidden") for name in fields.keys() - FIELDS]
    texts = {}
    for name in ("model", "email"):
        try:
            texts[name] = fields[name].content.decode().strip() if name in fields else ""
        except UnicodeDecodeError:
            wrong.append(_error(name, "must be UTF-8 text", "string_unicode"))
    if texts.get("email") and not _EMAIL.fullmatch(texts["email"]):
        wrong.append(_error("email", "is not an e-mail address", "value_error"))
    if wrong:
        raise invalid_request(tuple(wrong))
    file = fields["file"]
    return Upload(texts["model"], file.content, file.file_name[:_LONGEST_NAME] or "input.csv", texts["email"])


def lines_of(file: bytes, most: int) -> tuple[bytes, int]:
    """A batch's lines, one a row, and how many.

    A line's custom_id is the row's `id` where the header has that column, else the row's number, from 1 on, without the
    header. A row that lacks the text becomes a line without an input, which the batch puts into its errors. Empty rows
    are passed over. A large file takes a while: not for the event loop.

    Raises:
        GatewayError: INPUT_INVALID; the file is not CSV in UTF-8, has no row, more than `most`, or several columns none
            of which is known for its texts.
    """
    try:
        rows = _rows(file.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = file.count(b"\n", 0, error.start) + 1
        raise _file_error(f"is not UTF-8 text (line {line})") from None
    lines = []
    for number, (name, text) in enumerate(rows, 1):
        if number > most:
            raise _file_error(f"has more than {most:,} rows")
        body = {} if text is None else {"input": text}
        lines.append(orjson.dumps({"custom_id": name or str(number), "body": body}) + b"\n")
    if not lines:
        raise _file_error("has no rows")
    return b"".join(lines), len(lines)


def bulk_job(batch: Batch, user: str, file_name: str, email: str) -> dict[str, Json]:
    """A batch as this route shows it (BulkEmbeddingJobResponse): what is not known is left out."""
    error = batch.error or _ENDS.get(batch.state, "")
    shown_always: dict[str, Json] = {
        "_id": batch.order.id,
        "user_id": user,
        "status": _STATUS.get(batch.state, "failed"),
        "file_name": file_name,
        "model_name": batch.order.model,
        "created_at": shown(batch.order.created),
        "used_token_count": batch.tally.tokens,
    }
    known = {
        "completed_at": None if batch.ended is None else shown(batch.ended),
        "error": error or None,
        "user_email": email or None,
    }
    return shown_always | {name: value for name, value in known.items() if value is not None}


def result(name: str, url: str) -> dict[str, Json]:
    """Where a job's result is (DownloadResultResponse)."""
    return {"id": name, "download_url": url}


def _rows(text: str) -> Iterator[tuple[str, str | None]]:
    """Name and text of each row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: tuple[int, int | None] | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if columns is None:
                columns, header = _columns(row)
                if header:
                    continue
            at, name_at = columns
            name = row[name_at].strip() if name_at is not None and name_at < len(row) else ""
            yield name, row[at] if at < len(row) and row[at].strip() else None
    except csv.Error as error:
        raise _file_error(f"is not CSV (line {reader.line_num}: {error})") from None


def _columns(first: list[str]) -> tuple[tuple[int, int | None], bool]:
    """Where a row's text and name are, and whether the first row is a header."""
    titles = [cell.strip().lower() for cell in first]
    at = next((titles.index(title) for title in _TEXT if title in titles), None)
    if at is not None:
        return (at, next((titles.index(title) for title in _NAME if title in titles), None)), True
    if len(first) > 1:
        raise _file_error("has several columns: call that of the texts `text` in its first row")
    return (0, None), False


def _file_error(message: str) -> GatewayError:
    return invalid_request((_error("file", message, "csv_invalid"),))


def _error(name: str, message: str, kind: str) -> FieldError:
    return FieldError(f"body -> {name}", message, kind)

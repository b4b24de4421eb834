"""Records from files: JSON, a JSON object a line (NDJSON), or CSV. Bad ones are named by line.

Files are read as a stream, so they may be larger than memory.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final, cast

import orjson

_BLOCK: Final = 1 << 16
# One record, with room; a JSON file that goes on without an end of its element is no JSON.
_LONGEST: Final = 16 << 20
_SPACE: Final = " \t\n\r"
_DELIMITERS: Final = ",;\t|"
_OTHER_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAVE: Final = "save it as UTF-8 (in Excel: CSV UTF-8)"
# What the csv module says, and what is to be done.
_CSV_FAULTS: Final = (
    ("unexpected end of data", "a quote in this row, or before it, is not closed"),
    (
        "field larger than field limit",
        "a field of over 131,072 characters: is a quote not closed?",
    ),
    ("expected after", "a quote within quotes is written twice"),
)
# JSON's numbers; "007" and "+1" are none, and stay texts.
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


class Format(StrEnum):
    """How a file is written."""

    JSON = "json"  # one array of objects, or objects one after another
    NDJSON = "ndjson"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Row:
    """A record, and the line that it begins in, counted from 1."""

    line: int
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bad:
    """A line from which there is no record, and why."""

    line: int
    reason: str


class Unreadable(Exception):
    """A file that can't be read at all, or not any further; the message says why."""


Read = Callable[[int], object]
"""Told how many bytes more have been read of the file."""


@contextmanager
def opened(path: str, read: Read = lambda _: None) -> Generator[IO[bytes]]:
    """A file, "-" for stdin, unpacked if it is gzip's. Raises Unreadable."""
    try:
        with _raw(path) as raw:
            counted = io.BufferedReader(_Counted(raw, read), _BLOCK)
            if counted.peek(2)[:2] == b"\x1f\x8b":
                yield cast("IO[bytes]", gzip.GzipFile(fileobj=counted))
            else:
                yield counted
    except (OSError, EOFError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise Unreadable(f"{path}: {reason.lower()}") from None


def rows(
    file: IO[bytes], name: str, chosen: Format | None = None, texts: Sequence[str] = ()
) -> Iterator[Row | Bad]:
    """What is in a file called `name`. Raises Unreadable where nothing more can be understood.

    In CSV, columns in `texts` stay as they are; in others what looks like JSON's numbers, true and
    false become these. Empty fields are left out.
    """
    if isinstance(file, io.BufferedReader):
        head = cast("io.BufferedReader[io.RawIOBase]", file)
    else:
        head = io.BufferedReader(cast("io.RawIOBase", file), _BLOCK)
    if head.peek(2)[:2] in _OTHER_BOMS:
        raise Unreadable(f"it is UTF-16: {_SAVE}")
    match chosen or _format(head, name):
        case Format.JSON:
            return _json(head)
        case Format.NDJSON:
            return _ndjson(head)
        case Format.CSV:
            return _csv(head, frozenset(texts))


def _format(head: io.BufferedReader[io.RawIOBase], name: str) -> Format:
    plain = name.removesuffix(".gz").lower()
    if plain.endswith((".csv", ".tsv")):
        return Format.CSV
    if plain.endswith((".ndjson", ".jsonl")):
        return Format.NDJSON
    begin = head.peek(_BLOCK).removeprefix(codecs.BOM_UTF8).lstrip()
    if not begin:
        raise Unreadable("it is empty")
    if begin[:1] not in (b"[", b"{"):
        return Format.CSV
    try:
        first, line_end, _ = begin.partition(b"\n")
        whole = line_end and isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        whole = False
    return Format.NDJSON if whole else Format.JSON


def _ndjson(file: Iterable[bytes]) -> Iterator[Row | Bad]:
    for line, data in enumerate(file, 1):
        if line == 1:
            data = data.removeprefix(codecs.BOM_UTF8)
        if not data.strip():
            continue
        try:
            value = orjson.loads(data.decode("utf-8"))
        except UnicodeDecodeError as fault:
            yield Bad(line, f"not UTF-8 at byte {fault.start + 1}: save the file as UTF-8")
        except orjson.JSONDecodeError as fault:
            yield Bad(line, _not_json(fault.msg, fault.colno))
        else:
            yield _row(line, value)


def _json(file: IO[bytes]) -> Iterator[Row | Bad]:
    text = _Text(file)
    if text.skip() != "[":
        while text.skip():
            line = text.line
            yield _row(line, text.value())
        return
    text.take()
    if text.skip() == "]":
        return
    while True:
        text.skip()
        line = text.line
        yield _row(line, text.value())
        match text.skip():
            case ",":
                text.take()
            case "]":
                return
            case "":
                raise Unreadable(f"line {text.line}: the file ends within the array")
            case other:
                raise Unreadable(f"line {text.line}: expected a comma or ], not {other!r}")


class _Text:
    """JSON that is decoded value by value as it is read; `line` is where it has come to."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = io.TextIOWrapper(file, "utf-8-sig", newline="")
        self._decoder = json.JSONDecoder(parse_constant=_no_number)
        self._text = ""
        self._at = 0
        self._cut = 0  # characters of the line that are no more in _text
        self.line = 1

    def skip(self) -> str:
        """Past blanks; the next character, or "" at the end."""
        while True:
            end = self._at
            while end < len(self._text) and self._text[end] in _SPACE:
                end += 1
            self._pass(end)
            if end < len(self._text):
                return self._text[end]
            if not self._more():
                return ""

    def take(self) -> None:
        """Past one character."""
        self._pass(self._at + 1)

    def value(self) -> Any:
        """The value that begins here. Raises Unreadable if there is none."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as fault:
                line = self.line + self._text.count("\n", self._at, fault.pos)
                what = _not_json(fault.msg, self._column(fault.pos))
                at_end = not self._text[fault.pos :].strip()
                # It may be whole once there is more of it.
                if len(self._text) - self._at < _LONGEST and self._more():
                    continue
                if at_end:
                    what = "the file ends within a record"
                raise Unreadable(f"line {line}: {what}; nothing after it was read") from None
            except (RecursionError, ValueError) as fault:
                what = "nested too deep" if isinstance(fault, RecursionError) else str(fault)
                raise Unreadable(f"line {self.line}: {what}; nothing after it was read") from None
            # A number at the end of what is read may go on.
            if end == len(self._text) and not isinstance(value, (dict, list)) and self._more():
                continue
            self._pass(end)
            return value

    def _column(self, at: int) -> int:
        before = self._text.rfind("\n", 0, at)
        return at - before if before >= 0 else self._cut + at + 1

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        try:
            # As much again, so that a long value isn't begun anew too often.
            block = self._file.read(max(_BLOCK, len(self._text) - self._at))
        except UnicodeDecodeError as fault:
            raise Unreadable(
                f"after line {self.line}: not UTF-8 ({fault.reason}): save it as UTF-8"
            ) from None
        self._cut = self._column(self._at) - 1
        self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)


def _csv(file: IO[bytes], texts: frozenset[str]) -> Iterator[Row | Bad]:
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    lines = iter(text)
    first = next(lines, "")
    if not first:
        raise Unreadable("it is empty")
    if _has_surrogates(first):
        raise Unreadable(f"line 1: the header is not UTF-8: {_SAVE}")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(_chained(first, lines), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as fault:
        raise Unreadable(f"line 1: the header: {fault}") from None
    names = [name.strip() for name in header]
    if not any(names):
        raise Unreadable("line 1: no header: the first line has the attributes' names")
    if doubled := {name for name in names if name and names.count(name) > 1}:
        raise Unreadable(f"line 1: two columns are called {sorted(doubled)[0]}")
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            yield Bad(line, _csv_fault(str(fault)))
            continue
        if not any(fields):
            continue
        if len(fields) != len(names):
            yield Bad(line, f"{len(fields)} fields, and the header has {len(names)}")
        elif any(map(_has_surrogates, fields)):
            yield Bad(line, f"not UTF-8: {_SAVE}")
        else:
            named = zip(names, fields, strict=True)
            yield Row(
                line,
                {
                    name: value if name in texts else _typed(value)
                    for name, value in named
                    if name and value
                },
            )


def _csv_fault(told: str) -> str:
    for part, remedy in _CSV_FAULTS:
        if part in told:
            return remedy if part != "expected after" else f"{told}: {remedy}"
    return told


def _chained(first: str, rest: Iterable[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _typed(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    return json.loads(value) if _NUMBER.fullmatch(value) else value


def _has_surrogates(text: str) -> bool:
    return any("\udc80" <= letter <= "\udcff" for letter in text) if not text.isascii() else False


def _row(line: int, value: Any) -> Row | Bad:
    if isinstance(value, dict):
        return Row(line, cast("dict[str, Any]", value))
    kind = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return Bad(line, f"expected a JSON object, not {kind.get(type(value), 'a number')}")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _not_json(message: str, column: int) -> str:
    return f"not JSON: {message[:1].lower()}{message[1:]} at column {column}"


@contextmanager
def _raw(path: str) -> Generator[IO[bytes]]:
    if path == "-":
        yield sys.stdin.buffer
        return
    with Path(path).open("rb") as file:
        yield file


class _Counted(io.RawIOBase):
    """A file that tells how much has been read of it."""

    def __init__(self, file: IO[bytes], read: Read) -> None:
        self._file = cast("io.BufferedReader[io.RawIOBase]", file)
        self._read = read

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """As a raw file's."""
        data = self._file.read1(len(buffer))  # of a pipe what there is, not all there may be
        buffer[: len(data)] = data
        self._read(len(data))
        return len(data)

"""Reads a table of TOML strictly: what is missing, wrong or unknown is named, with its remedy."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast


class BoardError(ValueError):
    """A board's facts can't be used. Names the file, the key, the fault and what to do."""


class Table:
    """One table of a file. Each getter takes a key off it; `done` refuses what is left."""

    def __init__(self, path: Path, body: dict[str, Any], prefix: str = "") -> None:
        self._path = path
        self._body = dict(body)
        self._prefix = prefix

    @classmethod
    def load(cls, path: Path) -> Table:
        """A whole file. Raises BoardError."""
        try:
            return cls(path, tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise BoardError(f"{path}: can't be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BoardError(f"{path}: is not TOML: {error}; correct it there") from None

    def __contains__(self, key: str) -> bool:
        return key in self._body

    def fault(self, key: str, text: str) -> BoardError:
        """To be raised: what is wrong with `key`, and what to do."""
        return BoardError(f"{self._path}: {self._prefix}{key}{text}")

    def _take(self, key: str, what: str) -> Any:
        if key not in self._body:
            raise self.fault(key, f" is missing: give {what}")
        return self._body.pop(key)

    def text(self, key: str, default: str | None = None) -> str:
        """One line of text."""
        if default is not None and key not in self._body:
            return default
        value = self._take(key, "a text")
        if not isinstance(value, str) or not value.isprintable() or not value.strip():
            raise self.fault(key, f" = {value!r}: give a line of text in quotes")
        return value

    def one_of(self, key: str, known: Collection[str]) -> str:
        """One of the names that are `known`."""
        listed = ", ".join(sorted(known))
        value = self._take(key, f"one of {listed}")
        if not isinstance(value, str) or value not in known:
            raise self.fault(key, f" = {value!r} is not known: give one of {listed}")
        return value

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`."""
        if default is not None and key not in self._body:
            return default
        what = f"a whole number from {low} to {high}"
        value = self._take(key, what)
        if type(value) is not int or not low <= value <= high:
            raise self.fault(key, f" = {value!r}: give {what}")
        return value

    def table(self, key: str) -> Table:
        """A table within."""
        value = self._take(key, f"a table [{self._prefix}{key}]")
        if not isinstance(value, dict):
            raise self.fault(key, f" = {value!r}: give a table [{self._prefix}{key}]")
        return Table(self._path, cast("dict[str, Any]", value), f"{self._prefix}{key}.")

    def tables(self, key: str) -> list[Table]:
        """The tables [[key]]; none if there are none."""
        value = self._body.pop(key, [])
        if not isinstance(value, list) or not all(
            isinstance(each, dict) for each in cast("list[Any]", value)
        ):
            raise self.fault(key, f": give each as a table [[{self._prefix}{key}]]")
        return [
            Table(self._path, each, f"{self._prefix}{key}[{number}].")
            for number, each in enumerate(cast("list[dict[str, Any]]", value), 1)
        ]

    def done(self) -> None:
        """Refuse keys that nobody asked for. Raises BoardError."""
        for key in self._body:
            raise self.fault(key, " is not known: correct it, or take it out")

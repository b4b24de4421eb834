"""Synonyms: what else a query's words may stand for.

| type | what is said | what a query for it finds too |
|---|---|---|
| synonym | a, b, c | each finds the others |
| oneWaySynonym | input → a, b | the input finds a and b, not the other way |
| altCorrection1, altCorrection2 | word → a, b | as one-way, at the cost of one or two typos |
| placeholder | <token> → a, b | a and b find records with the token |

Each may be several words. The API spells types in two ways; both are understood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from storagebox.search.language.errors import LanguageError

Type = Literal["synonym", "oneWaySynonym", "altCorrection1", "altCorrection2", "placeholder"]

MAX_ENTRIES = 100
MAX_ENTRY_BYTES = 512

_TYPES: dict[str, Type] = {
    "synonym": "synonym",
    "onewaysynonym": "oneWaySynonym",
    "altcorrection1": "altCorrection1",
    "altcorrection2": "altCorrection2",
    "placeholder": "placeholder",
}
# By type: the field that says what a query holds, and the one that lists what it finds.
_FIELDS: dict[Type, tuple[str, str]] = {
    "synonym": ("", "synonyms"),
    "oneWaySynonym": ("input", "synonyms"),
    "altCorrection1": ("word", "corrections"),
    "altCorrection2": ("word", "corrections"),
    "placeholder": ("placeholder", "replacements"),
}
_TYPOS: dict[Type, int] = {"altCorrection1": 1, "altCorrection2": 2}


@dataclass(frozen=True, slots=True)
class Synonym:
    """One synonym as it is kept: `source` is its input, word or placeholder, "" of a plain one."""

    object_id: str
    type: Type
    source: str
    entries: tuple[str, ...]

    @classmethod
    def from_json(cls, synonym: object) -> Synonym:
        """A synonym as a client gives it; raises LanguageError that says what is wrong."""
        if not isinstance(synonym, Mapping):
            raise LanguageError("synonym: expected an object")
        given = cast("Mapping[str, object]", synonym)
        object_id = given.get("objectID")
        if not isinstance(object_id, str) or not object_id:
            raise LanguageError("synonym: objectID must be a string that isn't empty")
        named = given.get("type")
        kind = parse_type(named) if isinstance(named, str) else None
        if kind is None:
            raise LanguageError(
                f"synonym {object_id}: type must be one of {', '.join(_TYPES.values())}"
            )
        source_field, entries_field = _FIELDS[kind]
        source = _text(object_id, source_field, given.get(source_field)) if source_field else ""
        entries = given.get(entries_field)
        if not isinstance(entries, list | tuple) or not entries:
            raise LanguageError(
                f"synonym {object_id}: {entries_field} must be an array that isn't empty"
            )
        listed = cast("Sequence[object]", entries)
        if len(listed) > MAX_ENTRIES:
            raise LanguageError(
                f"synonym {object_id}: {entries_field} has {len(listed)} entries, more than"
                f" {MAX_ENTRIES}: split it"
            )
        return cls(
            object_id,
            kind,
            source,
            tuple(_text(object_id, entries_field, each) for each in listed),
        )

    def to_json(self) -> dict[str, object]:
        """The synonym as the API answers it."""
        source_field, entries_field = _FIELDS[self.type]
        answer: dict[str, object] = {"objectID": self.object_id, "type": self.type}
        if source_field:
            answer[source_field] = self.source
        answer[entries_field] = list(self.entries)
        return answer

    @property
    def typos(self) -> int:
        """What it costs to find a record by it."""
        return _TYPOS.get(self.type, 0)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """What a query may hold, and what it then finds too."""
        if self.type == "synonym":
            for held in self.entries:
                yield from ((held, other) for other in self.entries if other != held)
        elif self.type == "placeholder":
            yield from ((each, self.source) for each in self.entries)
        else:
            yield from ((self.source, each) for each in self.entries)


def parse_type(text: str) -> Type | None:
    """A type of synonym in either spelling, or None if there is no such type."""
    return _TYPES.get(text.lower())


def _text(object_id: str, field: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise LanguageError(f"synonym {object_id}: {field} must be text that isn't empty")
    if len(value.encode(errors="surrogatepass")) > MAX_ENTRY_BYTES:
        raise LanguageError(f"synonym {object_id}: {field} is longer than {MAX_ENTRY_BYTES} bytes")
    return value

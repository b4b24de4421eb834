"""What the tables of an index hold: the settings that decide it, and a record's row by them.

A place in a record is one 16-bit code: the attribute's number in the high 6 bits, the word's
position in the low 10. Elements of an array follow each other GAP positions apart, further than
proximity reaches. Attributes from the 64th on share the last number, as if they were elements of
one array: their words are found and told apart, but count alike where attributes are named. Words
beyond the 1024th of an attribute share the last position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, cast

import orjson

from storagebox.search.engine.text import Tokenizer, camel_parts
from storagebox.search.language.attributes import Searchable, Sort
from storagebox.search.language.compounds import MIN_PART
from storagebox.search.language.settings import Settings

POSITION_BITS: Final = 10
MAX_POSITION: Final = (1 << POSITION_BITS) - 1
MAX_ATTRIBUTE: Final = 63
GAP: Final = 8

OBJECT_ID: Final = "objectID"
TAGS: Final = "_tags"
GEO: Final = "_geoloc"
COMPOUND: Final = "\U000f0000"
"""Stands before a word that may be a compound to be taken apart. No text's word holds it."""
_MIN_COMPOUND: Final = 2 * MIN_PART
_NOT_TEXT: Final = frozenset({OBJECT_ID, TAGS, GEO})
_MAX_SORTED: Final = 50  # characters that order strings: Algolia's limit


@dataclass(slots=True)
class Row:
    """What the tables keep of one record; `codes` ascend, and say where each of `words` stands."""

    words: list[str] = field(default_factory=list[str])
    codes: list[int] = field(default_factory=list[int])
    facets: list[list[str]] = field(default_factory=list[list[str]])
    numbers: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    sorts: list[float | str | None] = field(default_factory=list["float | str | None"])
    places: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    size_bytes: int = 0  # of the record's JSON


class Layout:
    """Reads records as an index's settings say. One thread at a time."""

    def __init__(self, settings: Settings, learnt: Sequence[str] = ()) -> None:
        self.settings = settings
        self.tokenizer = Tokenizer(
            settings.separators_to_index,
            settings.keep_diacritics_on_characters,
            _normalization(settings),
        )
        self.searchable: tuple[Searchable, ...] = settings.searchable_attributes
        self.facets: tuple[str, ...] = tuple(
            dict.fromkeys(
                [each.name for each in settings.attributes_for_faceting]
                + [TAGS]
                + ([settings.attribute_for_distinct] if settings.attribute_for_distinct else [])
            )
        )
        self.sorts: tuple[Sort, ...] = tuple(
            dict.fromkeys(
                [each for each in settings.ranking if isinstance(each, Sort)]
                + list(settings.custom_ranking)
            )
        )
        self._numeric = {each.name for each in settings.numeric_attributes_for_filtering}
        self._camel = frozenset(settings.camel_case_attributes)
        listed = settings.decompounded_attributes
        names = {name for each in listed.values() for name in each}
        self._compounded = frozenset(names.intersection(each.name for each in self.searchable))
        self.compound_languages: tuple[str, ...] = (
            tuple(sorted(code for code, each in listed.items() if each))
            if self._compounded
            else ()
        )
        # Without searchableAttributes, a record's own attributes are numbered as they turn up, and
        # what is nested in one has its number.
        self.learnt: list[str] = list(learnt)
        self._numbers = {name: number for number, name in enumerate(learnt)}

    @property
    def fingerprint(self) -> str:
        """Equal when tables made by two layouts are."""
        settings = self.settings
        return orjson.dumps(
            [
                [[each.name, each.rank] for each in self.searchable],
                self.facets,
                [[each.attribute, each.descending] for each in self.sorts],
                sorted(self._numeric),
                sorted(self._camel),
                sorted(self._compounded),
                settings.separators_to_index,
                settings.keep_diacritics_on_characters,
                _normalization(settings),
            ]
        ).decode()

    def attributes(self) -> list[str]:
        """The names of the numbered attributes, by number."""
        return [each.name for each in self.searchable] or self.learnt

    def row(self, record: Mapping[str, object], size_bytes: int = 0) -> Row:
        """What the tables keep of `record`, whose JSON takes so many bytes."""
        row = Row(size_bytes=size_bytes)
        if self.searchable:
            shared = 0
            for number, attribute in enumerate(self.searchable):
                value = at_path(record, attribute.name)
                before = len(row.words)
                if number < MAX_ATTRIBUTE:
                    self._add_text(row, number, attribute.name, value)
                else:
                    shared = self._add_text(row, number, attribute.name, value, shared)
                if attribute.name in self._compounded:
                    _add_compounds(row, before)
        else:
            self._add_all_text(row, record)
        if not self.searchable or len(self.searchable) > MAX_ATTRIBUTE:
            _in_order(row)
        row.facets = [_facet_values(at_path(record, name)) for name in self.facets]
        row.sorts = [_sort_value(at_path(record, each.attribute)) for each in self.sorts]
        self._add_numbers(row.numbers, record, "")
        if GEO in record:
            row.places = list(_places(record[GEO]))
        return row

    def _add_all_text(self, row: Row, record: Mapping[str, object]) -> None:
        shared = 0
        for name, value in record.items():
            if name in _NOT_TEXT:
                continue
            number = self._numbers.get(name)
            if number is None:
                number = len(self.learnt)
                self._numbers[name] = number
                self.learnt.append(name)
            if number < MAX_ATTRIBUTE:
                self._add_text(row, number, name, value)
            else:
                shared = self._add_text(row, number, name, value, shared)

    def _add_text(self, row: Row, number: int, name: str, value: object, at: int = 0) -> int:
        """Add an attribute's words from the position `at` on; where more may begin behind them."""
        base = min(number, MAX_ATTRIBUTE) << POSITION_BITS
        if isinstance(value, str) and not at:
            words = self.tokenizer.words(camel_parts(value) if name in self._camel else value)
            row.words += words
            if len(words) <= MAX_POSITION:
                row.codes += range(base, base + len(words))
            else:
                row.codes += [base + min(i, MAX_POSITION) for i in range(len(words))]
            return len(words) + GAP
        for text in texts(value):
            words = self.tokenizer.words(camel_parts(text) if name in self._camel else text)
            row.words += words
            row.codes += [base + min(at + i, MAX_POSITION) for i in range(len(words))]
            at += len(words) + GAP if words else 0
        return at

    def _add_numbers(
        self, found: dict[str, list[float]], record: Mapping[str, object], above: str
    ) -> None:
        for name, value in record.items():
            kind = type(value)
            if kind is str:
                continue
            if kind is int or kind is float:
                if not self._numeric or above + name in self._numeric:
                    found.setdefault(above + name, []).append(float(cast("int | float", value)))
            elif isinstance(value, Mapping):
                if above or name != GEO:
                    inner = cast("Mapping[str, object]", value)
                    self._add_numbers(found, inner, above + name + ".")
            elif isinstance(value, list) and (above or name != GEO):
                for each in cast("list[object]", value):
                    if isinstance(each, Mapping):
                        self._add_numbers(
                            found, cast("Mapping[str, object]", each), above + name + "."
                        )
                    else:
                        self._add_numbers(found, {name: each}, above)


def _add_compounds(row: Row, first: int) -> None:
    """Keep what may be a compound once more, behind itself; of the words from `first` on."""
    pairs = list(zip(row.words[first:], row.codes[first:], strict=True))
    del row.words[first:], row.codes[first:]
    for word, code in pairs:
        kept = (word, COMPOUND + word) if len(word) >= _MIN_COMPOUND else (word,)
        row.words += kept
        row.codes += [code] * len(kept)


def _in_order(row: Row) -> None:
    """Put a row's words in the order of their codes: attributes may have come in any."""
    codes = row.codes
    if any(behind < before for before, behind in pairwise(codes)):
        order = sorted(range(len(codes)), key=codes.__getitem__)
        row.words = [row.words[at] for at in order]
        row.codes = [codes[at] for at in order]


def _normalization(settings: Settings) -> dict[str, str]:
    """customNormalization, whatever the language it is listed under."""
    languages = settings.custom_normalization or {}
    return {each: instead for pairs in languages.values() for each, instead in pairs.items()}


def at_path(record: Mapping[str, object], path: str) -> object:
    """What is in a record at a path with dots; arrays on the way are gone through."""
    if path in record or "." not in path:
        return record.get(path)
    return _beneath(record, path.split("."))


def _beneath(value: object, names: list[str]) -> object:
    for depth, name in enumerate(names):
        if isinstance(value, list):
            found = [_beneath(each, names[depth:]) for each in cast("list[object]", value)]
            return [each for each in found if each is not None] or None
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, object]", value).get(name)
    return value


def texts(value: object) -> Iterator[str]:
    """All text in a value, arrays and objects gone through; numbers as they are written."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool):
        return
    elif isinstance(value, int | float):
        yield _written(value)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from texts(each)
    elif isinstance(value, Mapping):
        for each in cast("Mapping[str, object]", value).values():
            yield from texts(each)


def _facet_values(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, int | float):
        return [_written(value)]
    if isinstance(value, list):
        found = [text for each in cast("list[object]", value) for text in _facet_values(each)]
        return list(dict.fromkeys(found))
    return []


def _written(number: int | float) -> str:
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return str(number)


def _sort_value(value: object) -> float | str | None:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        return value[:_MAX_SORTED]
    if isinstance(value, list):
        for each in cast("list[object]", value):
            return _sort_value(each)
    return None


def _places(value: object) -> Iterator[tuple[float, float]]:
    if isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _places(each)
    elif isinstance(value, Mapping):
        place = cast("Mapping[str, object]", value)
        lat, lng = place.get("lat"), place.get("lng")
        if isinstance(lat, int | float) and isinstance(lng, int | float):
            yield float(lat), float(lng)

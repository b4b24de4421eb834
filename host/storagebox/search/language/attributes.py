"""Lists of attributes with modifiers: `unordered(x)`, `desc(x)`, `filterOnly(x)`, `x:20`, `-x`, …

An attribute of a nested object is named by its path with dots.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.kinds import strings_as

Criterion = Literal[
    "typo", "geo", "words", "filters", "proximity", "attribute", "exact", "custom"
]  # fmt: skip
CRITERIA: tuple[Criterion, ...] = (
    "typo", "geo", "words", "filters", "proximity", "attribute", "exact", "custom",
)  # fmt: skip
_CRITERIA: dict[str, Criterion] = {each: each for each in CRITERIA}

DEFAULT_SNIPPET_WORDS = 10
MAX_SNIPPET_WORDS = 1000

_MODIFIED = re.compile(r"(?P<modifier>\w+)\((?P<inside>.*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Searchable:
    """An attribute that is searched. Those of equal `rank` (0 is best) count alike.

    `ordered` says whether a match near its beginning is better than one further on.
    """

    name: str
    rank: int
    ordered: bool


@dataclass(frozen=True, slots=True)
class Faceted:
    """A facet: can be filtered by, is counted unless `filter_only`, searched if `searchable`.

    `after_distinct`: its values are counted once per group of `attributeForDistinct`.
    """

    name: str
    filter_only: bool = False
    searchable: bool = False
    after_distinct: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """Order by an attribute's value; records without it come last either way."""

    attribute: str
    descending: bool


@dataclass(frozen=True, slots=True)
class NumericAttribute:
    """A number that can be filtered by; `equal_only` leaves only `=` and `!=`."""

    name: str
    equal_only: bool


@dataclass(frozen=True, slots=True)
class Replica:
    """An index that holds the same records; a `virtual` one shares them and only sorts anew."""

    name: str
    virtual: bool


@dataclass(frozen=True, slots=True)
class Snippet:
    """Show `words` words of the attribute `name` ("*" for all) around what matched."""

    name: str
    words: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which attributes are shown: `names`, or all when `everything`, less `excluded`."""

    everything: bool
    names: frozenset[str]
    excluded: frozenset[str]

    def holds(self, path: str) -> bool:
        """Whether the attribute at `path`, dots between names, is selected as such.

        The record's parts above a selected attribute aren't; see `touches`.
        """
        above = _prefixes(path)
        if any(each in self.excluded for each in above):
            return False
        return self.everything or any(each in self.names for each in above)

    def touches(self, path: str) -> bool:
        """Whether `path` is selected or something beneath it is."""
        if self.holds(path):
            return True
        beneath = path + "."
        return any(each.startswith(beneath) and self.holds(each) for each in self.names)


def parse_searchable(entries: Sequence[str]) -> tuple[Searchable, ...]:
    """`searchableAttributes`: comma-joined names share a rank and are unordered."""
    found: list[Searchable] = []
    for rank, entry in enumerate(entries):
        modifier, inside = _unwrapped(entry, "searchableAttributes", ("unordered", "ordered"))
        names = _names(inside)
        if not names:
            raise LanguageError("searchableAttributes: an entry is empty: remove it")
        ordered = modifier != "unordered" and len(names) == 1
        for name in names:
            # "a,unordered(b)" is written too; sharing a rank is unordered anyway.
            _, bare = _unwrapped(name, "searchableAttributes", ("unordered", "ordered"))
            found.append(Searchable(bare.strip(), rank, ordered))
    return tuple(found)


def parse_faceted(entries: Sequence[str]) -> tuple[Faceted, ...]:
    """`attributesForFaceting`: `filterOnly`, `searchable`, `afterDistinct` around names."""
    found: list[Faceted] = []
    for entry in entries:
        modifiers: set[str] = set()
        inside = entry
        while True:
            modifier, inside = _unwrapped(
                inside, "attributesForFaceting", ("filterOnly", "searchable", "afterDistinct")
            )
            if modifier is None:
                break
            modifiers.add(modifier)
        if {"filterOnly", "searchable"} <= modifiers:
            raise LanguageError(
                f"attributesForFaceting: {entry!r}: filterOnly and searchable exclude each other"
            )
        name = _one_name(inside, "attributesForFaceting")
        found.append(
            Faceted(
                name,
                filter_only="filterOnly" in modifiers,
                searchable="searchable" in modifiers,
                after_distinct="afterDistinct" in modifiers,
            )
        )
    return tuple(found)


def parse_ranking(entries: Sequence[str]) -> tuple[Criterion | Sort, ...]:
    """`ranking`: the eight criteria, with `asc(x)` and `desc(x)` anywhere among them."""
    found: list[Criterion | Sort] = []
    for entry in entries:
        criterion = _CRITERIA.get(entry.strip())
        found.append(criterion or _sort(entry, "ranking", f"one of {', '.join(CRITERIA)}, "))
    return tuple(found)


def parse_custom_ranking(entries: Sequence[str]) -> tuple[Sort, ...]:
    """`customRanking`: `asc(x)` and `desc(x)`."""
    return tuple(_sort(entry, "customRanking", "") for entry in entries)


def parse_numeric_attributes(entries: Sequence[str]) -> tuple[NumericAttribute, ...]:
    """`numericAttributesForFiltering`, with `equalOnly` around names; empty means all numbers."""
    parameter = "numericAttributesForFiltering"
    found: list[NumericAttribute] = []
    for entry in entries:
        modifier, inside = _unwrapped(entry, parameter, ("equalOnly",))
        found.append(NumericAttribute(_one_name(inside, parameter), modifier is not None))
    return tuple(found)


def parse_replicas(entries: Sequence[str]) -> tuple[Replica, ...]:
    """`replicas`, with `virtual` around the names of those that share the primary's records."""
    found: dict[str, Replica] = {}
    for entry in entries:
        modifier, inside = _unwrapped(entry, "replicas", ("virtual",))
        name = _one_name(inside, "replicas")
        if name in found:
            raise LanguageError(f"replicas: {name!r} is there twice")
        found[name] = Replica(name, modifier is not None)
    return tuple(found.values())


def parse_snippets(entries: Sequence[str]) -> tuple[Snippet, ...]:
    """`attributesToSnippet`: `name` or `name:words`; of several for one name the last counts."""
    found: dict[str, Snippet] = {}
    for entry in entries:
        name, colon, words = entry.rpartition(":")
        if not colon:
            name = entry.strip()
            found[name] = Snippet(name, DEFAULT_SNIPPET_WORDS)
        elif words.strip().isascii() and words.strip().isdigit() and len(words) < 9:
            name = name.strip()
            found[name] = Snippet(name, min(int(words), MAX_SNIPPET_WORDS))
        else:
            raise LanguageError(
                f"attributesToSnippet: {entry!r}: behind the colon stands a number of words"
            )
    return tuple(found.values())


def parse_selection(entries: Sequence[str]) -> Selection:
    """`attributesToRetrieve`: names, "*" for all, "-x" for all but x."""
    names = {each.strip() for each in entries}
    excluded = {each[1:] for each in names if each.startswith("-") and len(each) > 1}
    # A list of nothing but exclusions excludes them from everything.
    everything = "*" in names or (bool(excluded) and len(excluded) == len(names))
    plain = {each for each in names if each != "*" and not each.startswith("-")}
    return Selection(everything, frozenset(plain), frozenset(excluded))


def _sort(entry: str, parameter: str, others: str) -> Sort:
    found = _MODIFIED.fullmatch(entry.strip())
    if found is None or found["modifier"] not in ("asc", "desc"):
        raise LanguageError(
            f"{parameter}: {entry!r} is not {others}asc(attribute) or desc(attribute)"
        )
    return Sort(_one_name(found["inside"], parameter), found["modifier"] == "desc")


def _unwrapped(entry: str, parameter: str, allowed: Sequence[str]) -> tuple[str | None, str]:
    """The modifier around an entry, if any, and what is inside."""
    found = _MODIFIED.fullmatch(entry.strip())
    if found is None:
        return None, entry
    if found["modifier"] not in allowed:
        raise LanguageError(
            f"{parameter}: {found['modifier']!r} in {entry!r} is no modifier of it:"
            f" {', '.join(allowed)} {'is' if len(allowed) == 1 else 'are'}"
        )
    return found["modifier"], found["inside"]


def _one_name(inside: str, parameter: str) -> str:
    name = inside.strip().strip("\"'")
    if not name:
        raise LanguageError(f"{parameter}: an entry is empty: name an attribute")
    return name


def _names(inside: str) -> list[str]:
    return [name for name in (each.strip().strip("\"'") for each in inside.split(",")) if name]


def _prefixes(path: str) -> list[str]:
    names = path.split(".")
    return [".".join(names[: end + 1]) for end in range(len(names))]


SEARCHABLE = strings_as(parse_searchable)
FACETED = strings_as(parse_faceted)
RANKING = strings_as(parse_ranking)
CUSTOM_RANKING = strings_as(parse_custom_ranking)
NUMERIC_ATTRIBUTES = strings_as(parse_numeric_attributes)
REPLICAS = strings_as(parse_replicas)
SNIPPETS = strings_as(parse_snippets)
SELECTION = strings_as(parse_selection)

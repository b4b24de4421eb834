"""Filters as nested lists: `facetFilters`, `numericFilters`, `tagFilters`, `optionalFilters`.

The outer list is ANDed, a list in it ORed: `[["a:1", "a:2"], "b:-3"]` is
(a:1 OR a:2) AND NOT b:3. A bare string may hold several filters between commas, with parentheses
around ORs, as the first clients sent it. `-` before a value negates; `\\-` is a value's own dash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import cast

from storagebox.search.language import kinds
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import (
    DEFAULT_SCORE,
    MAX_FILTERS,
    MAX_SCORE,
    Between,
    Comparison,
    Facet,
    Groups,
    Node,
    Not,
    Numeric,
    Or,
    Parsed,
    Scored,
    Tag,
    conjunction,
    to_number,
)

_SCORED = re.compile(r"(?P<filter>.*)<score=(?P<score>\d{1,9})>\s*", re.DOTALL)
_COMPARISON = re.compile(r"<=|>=|!=|<|>|=")

_Read = Callable[[str, str], Node]


def parse_facet_filters(value: object) -> Parsed:
    """`facetFilters`: `attribute:value`, the value with its spaces and colons as they stand.

    An OR's may bear a `<score=n>` each.
    """
    groups = _scored_groups("facetFilters", value)
    nodes = (
        group[0].node if len(group) == 1 else Or(tuple(each.node for each in group))
        for group in groups
    )
    return Parsed(conjunction(nodes), tuple(group for group in groups if len(group) > 1))


def parse_numeric_filters(value: object) -> Node | None:
    """`numericFilters`: `attribute < 5` and such, `attribute:1 TO 5`, `attribute:5`."""
    return _parse("numericFilters", value, _numeric)


def parse_tag_filters(value: object) -> Node | None:
    """`tagFilters`: the tags themselves."""
    return _parse("tagFilters", value, _tag)


def parse_optional_filters(value: object) -> Groups:
    """`optionalFilters`: facet filters, each worth its `<score=n>` or 1."""
    return tuple(_scored_groups("optionalFilters", value))


def _scored_groups(parameter: str, value: object) -> list[tuple[Scored, ...]]:
    return [
        tuple(_scored_facet(parameter, text) for text in alternatives)
        for alternatives in _groups(parameter, value)
    ]


def _scored_facet(parameter: str, text: str) -> Scored:
    found = _SCORED.fullmatch(text)
    if found is None:
        return Scored(_facet(parameter, text), DEFAULT_SCORE)
    score = int(found["score"])
    if score > MAX_SCORE:
        raise LanguageError(f"{parameter}: the score of {text!r} is more than {MAX_SCORE}")
    return Scored(_facet(parameter, found["filter"]), score)


def _parse(parameter: str, value: object, read: _Read) -> Node | None:
    nodes: list[Node] = []
    for alternatives in _groups(parameter, value):
        parts = tuple(read(parameter, each) for each in alternatives)
        nodes.append(parts[0] if len(parts) == 1 else Or(parts))
    return conjunction(nodes)


def _groups(parameter: str, value: object) -> list[list[str]]:
    """The lists of alternatives that all have to be met; empty ones are dropped."""
    if isinstance(value, str) and value.startswith("["):
        value = kinds.json_or_text(value)
    if isinstance(value, str):
        groups = _groups_of_text(parameter, value)
    elif isinstance(value, Sequence):
        groups = [_alternatives(parameter, each) for each in cast("Sequence[object]", value)]
    else:
        raise LanguageError(f"{parameter}: expected a string or an array of strings and arrays")
    groups = [each for each in groups if each]
    if sum(map(len, groups)) > MAX_FILTERS:
        raise LanguageError(f"{parameter}: More than {MAX_FILTERS} filters")
    return groups


def _alternatives(parameter: str, value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, Sequence):
        alternatives = cast("Sequence[object]", value)
        if all(isinstance(each, str) for each in alternatives):
            return [each for each in cast("Sequence[str]", alternatives) if each.strip()]
    raise LanguageError(
        f"{parameter}: expected strings, or arrays of strings, in the array: outer AND, inner OR"
    )


def _groups_of_text(parameter: str, text: str) -> list[list[str]]:
    """`a:1,(a:2,a:3)` → [[a:1], [a:2, a:3]]; a value may hold parentheses that pair up."""
    groups: list[list[str]] = []
    for part in _split(parameter, text):
        if part.startswith("(") and part.endswith(")"):
            groups.append(_split(parameter, part[1:-1]))
        else:
            groups.append([part])
    return groups


def _split(parameter: str, text: str) -> list[str]:
    parts: list[str] = []
    depth = start = 0
    for at, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth < 0:
                raise LanguageError(f"{parameter}: Unexpected token ')' at col {at}")
        elif character == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    if depth:
        raise LanguageError(f"{parameter}: Unexpected end, expected ')' at col {len(text)}")
    parts.append(text[start:])
    return [each for each in (part.strip() for part in parts) if each]


def _negatable(text: str) -> tuple[bool, str]:
    """Whether a leading `-` negates, and the rest; `\\-` is a plain `-`."""
    if text.startswith("-"):
        return True, text[1:]
    if text.startswith("\\-"):
        return False, text[1:]
    return False, text


def _facet(parameter: str, text: str) -> Node:
    attribute, colon, value = text.partition(":")
    # "-attribute:value" negates too, as early clients wrote it.
    outside, attribute = _negatable(attribute.strip())
    inside, value = _negatable(value.strip())
    if not colon or not attribute:
        raise LanguageError(f"{parameter}: expected attribute:value, not {text!r}")
    node: Node = Tag(value) if attribute == "_tags" else Facet(attribute, value)
    return Not(node) if outside != inside else node


def _tag(parameter: str, text: str) -> Node:
    negated, value = _negatable(text.strip().removeprefix("_tags:"))
    if not value:
        raise LanguageError(f"{parameter}: a tag is empty")
    return Not(Tag(value)) if negated else Tag(value)


def _numeric(parameter: str, text: str) -> Node:
    found = _COMPARISON.search(text)
    if found is not None:
        attribute = text[: found.start()].strip()
        number = to_number(text[found.end() :].strip())
        if attribute and number is not None:
            return Numeric(attribute, cast(Comparison, found[0]), number)
    attribute, _, value = text.rpartition(":")
    attribute = attribute.strip()
    match [each if (number := to_number(each)) is None else number for each in value.split()]:
        case [float(low), "TO" | "to", float(high)] if attribute:
            return Between(attribute, low, high)
        case [float(number)] if attribute:
            return Numeric(attribute, "=", number)
        case _:
            pass
    raise LanguageError(
        f"{parameter}: expected attribute < number (or <=, =, !=, >=, >) or attribute:low TO high,"
        f" not {text!r}"
    )

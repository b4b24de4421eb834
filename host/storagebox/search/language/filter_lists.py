"""Filters as nested lists: `facetFilters`, `numericFilters`, `tagFilters`, `optionalFilters`.

The outer list is ANDed, a list in it ORed: `[["a:1", "a:2"], "b:-3"]` is
(a:1 OR a:2) AND NOT b:3. A bare string may hold several filters between commas, with parentheses
around ORs, as the first clients sent it. `-` before a value negates; `\\-` is a value's own dash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import cast

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import (
    MAX_FILTERS,
    Between,
    Comparison,
    Facet,
    Groups,
    Node,
    Not,
    Numeric,
    Or,
    Scored,
    Tag,
    conjunction,
    to_number,
)

_SCORED = re.compile(r"(?P<filter>.*)<score=(?P<score>-?\d{1,9})>\s*", re.DOTALL)
_COMPARED = re.compile(
    r"\s*(?P<attribute>[^<>=!]+?)\s*(?P<op><=|>=|!=|<|>|=)\s*(?P<number>\S+)\s*"
)
_RANGE = re.compile(r"\s*(?P<attribute>.+?)\s*:\s*(?P<low>\S+)\s+(?:TO|to)\s+(?P<high>\S+)\s*")

_Read = Callable[[str, str], Node]


def parse_facet_filters(value: object) -> Node | None:
    """`facetFilters`: `attribute:value`, the value with its spaces and colons as they stand."""
    return _parse("facetFilters", value, _facet)


def parse_numeric_filters(value: object) -> Node | None:
    """`numericFilters`: `attribute < 5` and such, `attribute:1 TO 5`, `attribute:5`."""
    return _parse("numericFilters", value, _numeric)


def parse_tag_filters(value: object) -> Node | None:
    """`tagFilters`: the tags themselves."""
    return _parse("tagFilters", value, _tag)


def parse_optional_filters(value: object) -> Groups:
    """`optionalFilters`: facet filters, each worth its `<score=n>` or 1."""
    groups: list[tuple[Scored, ...]] = []
    for alternatives in _groups("optionalFilters", value):
        scored: list[Scored] = []
        for text in alternatives:
            found = _SCORED.fullmatch(text)
            bare, score = (found["filter"], int(found["score"])) if found else (text, 1)
            scored.append(Scored(_facet("optionalFilters", bare), score))
        groups.append(tuple(scored))
    return tuple(groups)


def _parse(parameter: str, value: object, read: _Read) -> Node | None:
    nodes: list[Node] = []
    for alternatives in _groups(parameter, value):
        parts = tuple(read(parameter, each) for each in alternatives)
        nodes.append(parts[0] if len(parts) == 1 else Or(parts))
    return conjunction(nodes)


def _groups(parameter: str, value: object) -> list[list[str]]:
    """The lists of alternatives that all have to be met; empty ones are dropped."""
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
    found = _COMPARED.fullmatch(text)
    if found is not None:
        number = to_number(found["number"])
        if number is not None:
            return Numeric(found["attribute"], cast(Comparison, found["op"]), number)
    found = _RANGE.fullmatch(text)
    if found is not None:
        low, high = to_number(found["low"]), to_number(found["high"])
        if low is not None and high is not None:
            return Between(found["attribute"], low, high)
    attribute, _, value = text.rpartition(":")
    number = to_number(value.strip())
    if attribute.strip() and number is not None:
        return Numeric(attribute.strip(), "=", number)
    raise LanguageError(
        f"{parameter}: expected attribute < number (or <=, =, !=, >=, >) or attribute:low TO high,"
        f" not {text!r}"
    )

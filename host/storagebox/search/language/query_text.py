"""The text of a query with advanced syntax: "phrases in quotes" and -excluded words."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

# A dash excludes only at the beginning of a word; a quote that isn't closed yet is none, so that
# results don't jump while someone types.
_PART = re.compile(
    r"""
      (?<!\S)-"(?P<excluded_phrase>[^"]*)"
    | "(?P<phrase>[^"]*)"
    | (?<!\S)-(?P<excluded_word>[^\s"-][^\s"]*)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a query: words to find anywhere, a phrase to find as it is, an exclusion."""

    kind: Literal["words", "phrase", "excluded"]
    text: str


def parse_query_text(text: str, features: Collection[str]) -> tuple[Part, ...]:
    """The parts of a query's text in order; `features` is advancedSyntaxFeatures, if on.

    >>> parse_query_text('blue "iPhone case" -red', ("exactPhrase", "excludeWords"))[1]
    Part(kind='phrase', text='iPhone case')
    """
    parts: list[Part] = []
    at = 0
    for found in _PART.finditer(text):
        phrase, excluded = found["phrase"], found["excluded_phrase"] or found["excluded_word"]
        if phrase is not None and "exactPhrase" in features:
            part = Part("phrase", phrase)
        elif phrase is None and "excludeWords" in features:
            part = Part("excluded", excluded or "")
        else:
            continue
        plain = text[at : found.start()].strip()
        at = found.end()
        if plain:
            parts.append(Part("words", plain))
        if part.text.strip():
            parts.append(part)
    plain = text[at:].strip()
    if plain:
        parts.append(Part("words", plain))
    return tuple(parts)

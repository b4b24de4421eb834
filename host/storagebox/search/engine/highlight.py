"""Marks in text what matched a query, and tells how much of the query that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from storagebox.search.engine.grades import is_exact
from storagebox.search.engine.slots import Wanted
from storagebox.search.engine.text import Token, Tokenizer

_MAX_ADDED: Final = 32 << 20
"""Characters of marks in one answer; beyond them, texts are shown without."""

_MAX_LOOKED_AT: Final = 1 << 20
"""Words of texts that are looked at for one answer, in a second or so; as above."""


class Marker:
    """Marks a query's words in text. `words` are all its readings' words; `originals` as typed.

    `only`: words of records of which no others match; None if that isn't known. `exact_only`: no
    words are marked that don't count as exact. What was found for a word or a text is remembered:
    hits of one search have many in common.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        words: Sequence[Wanted],
        originals: Sequence[str],
        before: str,
        after: str,
        only: frozenset[str] | None = None,
        *,
        exact_only: bool = False,
    ) -> None:
        self._exact_only = exact_only
        self._only = only
        self._tokenizer = tokenizer
        self._wanted = tuple({id(each): each for each in words}.values())
        self._originals = originals
        self._before, self._after = before, after
        self._words: dict[str, _Match] = {}
        self._texts: dict[str, dict[str, Any]] = {}
        self._added = self._looked_at = 0

    def match(self, word: str) -> _Match:
        """How many characters of a record's word matched, and which words of the query."""
        known = self._words.get(word)
        if known is not None:
            return known
        if self._only is not None and word not in self._only:
            return _NO_MATCH
        best, length = 0, 0
        which: set[int] = set()
        for wanted in self._wanted:
            how, characters = wanted.match(word)
            if how and (is_exact(how) or not self._exact_only):
                if not best or how < best:
                    best, length = how, characters
                which.update(range(wanted.at, wanted.at + wanted.span))
        found = self._words[word] = _Match(length, frozenset(which))
        return found

    @property
    def has_room(self) -> bool:
        """Whether more texts may be marked in this answer."""
        return self._added < _MAX_ADDED and self._looked_at < _MAX_LOOKED_AT

    def tokens(self, text: str) -> list[Token]:
        """The words of a text."""
        return self._tokenizer.tokens(text)

    def matched(self, tokens: Sequence[Token]) -> list[frozenset[int]]:
        """Which words of the query each of some words is."""
        self._looked_at += len(tokens)
        return [self.match(token.word).which for token in tokens]

    def marked(self, text: str) -> dict[str, Any]:
        """A text with what matched between the tags, and how much of the query that is."""
        found = self._texts.get(text)
        if found is None:
            if self.has_room and self._may_match(text):
                found = self.described(text, self._tokenizer.spans(text))
            else:
                found = _unmatched(text)
            self._texts[text] = found
        return found

    def _may_match(self, text: str) -> bool:
        return self._only is None or self._tokenizer.may_hold(text, self._only)

    def described(self, text: str, tokens: Sequence[tuple[str, int, int]]) -> dict[str, Any]:
        """As `marked`, for a text whose words are known."""
        parts: list[str] = []
        matched: frozenset[int] = frozenset()
        at = 0
        before, after = self._before, self._after
        whole = True
        known, only = self._words, self._only
        self._looked_at += len(tokens)
        for word, start, end in tokens:
            if only is not None and word not in only:
                whole = False
                continue
            length, which = known.get(word) or self.match(word)
            if not which:
                whole = False
                continue
            matched |= which
            if length < len(word):
                end = start + self._tokenizer.covered(text[start:end], length)
                whole = False
            if parts and at == start:  # in scripts without spaces
                parts[-1:] = text[start:end], after
            else:
                parts += (text[at:start], before, text[start:end], after)
            at = end
        if not matched:
            return _unmatched(text)
        parts.append(text[at:])
        value = "".join(parts)
        self._added += len(value) - len(text)
        return {
            "value": value,
            "matchLevel": "full" if len(matched) == len(self._originals) else "partial",
            "fullyHighlighted": whole,
            "matchedWords": [self._originals[each] for each in sorted(matched)],
        }


class _Match(NamedTuple):
    """How many characters of a word matched, and which words of the query, by their places."""

    length: int
    which: frozenset[int]


_NO_MATCH: Final = _Match(0, frozenset())


def _unmatched(text: str) -> dict[str, Any]:
    return {"value": text, "matchLevel": "none", "matchedWords": []}

"""Marks in text what matched a query, and tells how much of the query that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storagebox.search.engine.slots import Wanted
from storagebox.search.engine.text import Token, Tokenizer


class Marker:
    """Marks a query's words in text. `words` are all its readings' words; `originals` as typed."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        words: Sequence[Wanted],
        originals: Sequence[str],
        before: str,
        after: str,
    ) -> None:
        self._tokenizer = tokenizer
        self._wanted = tuple({id(each): each for each in words}.values())
        self._originals = originals
        self._before, self._after = before, after
        self._known: dict[str, tuple[int, frozenset[int]]] = {}

    def match(self, word: str) -> tuple[int, frozenset[int]]:
        """How many characters of a record's word matched, and which words of the query."""
        found = self._known.get(word)
        if found is None:
            length = 0
            best = 0
            which: set[int] = set()
            for wanted in self._wanted:
                how, characters = wanted.match(word)
                if how:
                    if not best or how < best:
                        best, length = how, characters
                    which.update(range(wanted.at, wanted.at + wanted.span))
            found = length, frozenset(which)
            self._known[word] = found
        return found

    def tokens(self, text: str) -> list[Token]:
        """The words of a text."""
        return self._tokenizer.tokens(text)

    def marked(self, text: str) -> dict[str, Any]:
        """A text with what matched between the tags, and how much of the query that is."""
        return self.described(text, self.tokens(text))

    def described(self, text: str, tokens: Sequence[Token]) -> dict[str, Any]:
        """As `marked`, for a text whose words are known."""
        parts: list[str] = []
        matched: set[int] = set()
        at = 0
        whole = bool(tokens)
        for token in tokens:
            length, which = self.match(token.word)
            if not which:
                whole = False
                continue
            matched |= which
            written = text[token.start : token.end]
            covered = (
                len(written)
                if length >= len(token.word)
                else self._tokenizer.covered(written, length)
            )
            whole = whole and covered == len(written)
            parts += (text[at : token.start], self._before, written[:covered], self._after)
            at = token.start + covered
        parts.append(text[at:])
        if not matched:
            return {"value": text, "matchLevel": "none", "matchedWords": []}
        return {
            "value": "".join(parts),
            "matchLevel": "full" if len(matched) == len(self._originals) else "partial",
            "fullyHighlighted": whole,
            "matchedWords": [self._originals[each] for each in sorted(matched)],
        }

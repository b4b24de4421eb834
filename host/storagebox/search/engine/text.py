"""Text to words, the same way for records and queries.

A word is a run of letters and digits, without case and diacritics; everything else separates.
Letters with dots between them are one word ("B.C.E." is "bce"), and each character of scripts
written without spaces is one. `separatorsToIndex` makes words of further characters, and
`keepDiacriticsOnCharacters` keeps some as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

# Ideographs, kana and the scripts of South-East Asia that put no spaces between words.
_UNSPACED: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_MARKS: Final = "\u0300-\u036f"
_LETTER: Final = rf"[^\W_{_UNSPACED}]"
_ACRONYM: Final = r"(?<![^\W_])[^\W\d_](?:\.[^\W\d_])+(?![^\W_])"
_CAMEL: Final = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

MAX_WORD: Final = 64
"""Characters of a word that count; what is behind them is as if it weren't there."""


_IS_UNSPACED: Final = re.compile(f"[{_UNSPACED}]")


def is_unspaced(word: str) -> bool:
    """Whether a word is one character of a script that is written without spaces."""
    return len(word) == 1 and _IS_UNSPACED.match(word) is not None


class Token(NamedTuple):
    """A word, and where it stands in its text: characters `start` to `end`."""

    word: str
    start: int
    end: int


class Tokenizer:
    """Splits text as an index's settings say. Threads may share one."""

    def __init__(
        self,
        separators: str = "",
        kept_diacritics: str = "",
        normalization: Mapping[str, str] | None = None,
    ) -> None:
        extra = "".join(re.escape(each) for each in separators if not each.isspace())
        sign = f"|[{extra}]" if extra else ""
        self._plain = re.compile(rf"[a-z0-9]+{sign}")
        self._any = re.compile(
            rf"{_ACRONYM}|{_LETTER}(?:{_LETTER}|[{_MARKS}])*|[{_UNSPACED}]{sign}"
        )
        self._folding = _Folding(kept_diacritics, normalization or {})
        # Nothing of ASCII is normalised away, so its words can be taken as they are.
        self._is_plain = not any(each.isascii() for each in normalization or ())

    def words(self, text: str) -> list[str]:
        """The words of `text` in order."""
        if self._is_plain and text.isascii() and "." not in text:
            words = self._plain.findall(text.lower())
            if len(text) <= MAX_WORD:
                return words
            return [word[:MAX_WORD] for word in words]
        fold = self.fold
        return [fold(found) for found in self._any.findall(text)]

    def tokens(self, text: str) -> list[Token]:
        """The words of `text` and where each stands."""
        return [Token(*each) for each in self.spans(text)]

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        """As `tokens`, in plain tuples, which are made in a third of the time."""
        if self._is_plain and text.isascii() and "." not in text:
            found = self._plain.finditer(text.lower())
            return [(each[0][:MAX_WORD], *each.span()) for each in found]
        fold = self.fold
        return [(fold(each[0]), *each.span()) for each in self._any.finditer(text)]

    def may_hold(self, text: str, words: Collection[str]) -> bool:
        """Whether any of some words may be in a text: False only if none is."""
        if self._is_plain and text.isascii() and "." not in text:
            # Cheaper than to take it apart: most texts don't have these letters in a row.
            lower = text.lower()
            return any(word in lower for word in words)
        return not frozenset(words).isdisjoint(self.words(text))

    def fold(self, word: str) -> str:
        """One word of a text without case, diacritics and dots."""
        if self._is_plain and word.isascii():
            folded = word.lower()
        else:
            folded = word.translate(self._folding)
        return folded.replace(".", "")[:MAX_WORD] if len(folded) > 1 else folded

    def covered(self, text: str, length: int) -> int:
        """How many characters of a word as it is written make up `length` of it when folded."""
        if self._is_plain and text.isascii() and "." not in text:
            return min(length, len(text))
        taken = 0
        for at, character in enumerate(text):
            if taken >= length and not unicodedata.combining(character):
                return at
            taken += len("" if character == "." else self._folding[ord(character)])
        return len(text)


def camel_parts(text: str) -> str:
    """`text` with a space wherever its case changes as in camelCase or HTTPServer."""
    return _CAMEL.sub(" ", text)


# What Unicode doesn't take apart although readers do.
_LIGATURES: Final = {
    "ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th",
    "ŋ": "n", "ŧ": "t",
}  # fmt: skip


class _Folding(dict[int, str]):
    """A table for str.translate that fills itself: each character without case and marks."""

    def __init__(self, kept: str, normalization: Mapping[str, str]) -> None:
        super().__init__()
        self._kept = frozenset(kept.lower())
        for character, replacement in normalization.items():
            if len(character) == 1:
                self[ord(character.lower())] = self[ord(character.upper())] = replacement.lower()

    def __missing__(self, code: int) -> str:
        character = chr(code).lower()
        if character in self._kept:
            folded = character
        else:
            parts = unicodedata.normalize("NFKD", character).casefold()
            folded = "".join(
                _LIGATURES.get(each, each) for each in parts if not unicodedata.combining(each)
            )
            folded = "".join(each for each in folded if each.isalnum()) or folded
        self[code] = folded
        return folded

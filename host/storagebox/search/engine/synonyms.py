"""Synonyms as an index keeps them, by the words they apply to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from storagebox.search.engine.text import Tokenizer
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.synonyms import Synonym

MAX_SPAN: Final = 6  # words of a query that one synonym may stand for


@dataclass(frozen=True, slots=True)
class Instead:
    """Words that are as good as some others, at a cost in typos."""

    words: tuple[str, ...]
    cost: int


class Synonyms:
    """What may be searched for instead of some words of a query.

    `kept` are synonyms in the API's JSON, listed or by objectID; those that are none don't count.
    """

    def __init__(self, kept: object, tokenizer: Tokenizer) -> None:
        self._by_words: dict[tuple[str, ...], list[Instead]] = {}
        if isinstance(kept, Mapping):
            kept = list(cast("Mapping[str, object]", kept).values())
        for each in cast("Iterable[object]", kept or ()):
            try:
                synonym = Synonym.from_json(each)
            except LanguageError:
                continue
            for said, meant in synonym.pairs():
                key = tuple(tokenizer.words(said))
                words = tuple(tokenizer.words(meant))
                if 0 < len(key) <= MAX_SPAN and words and words != key:
                    self._by_words.setdefault(key, []).append(Instead(words, synonym.typos))

    def __bool__(self) -> bool:
        return bool(self._by_words)

    def instead(self, words: tuple[str, ...]) -> list[Instead]:
        """What may be searched for instead of exactly these words."""
        return self._by_words.get(words, [])

    def single(self, word: str) -> Collection[str]:
        """The single words that are as good as a word."""
        return {
            each.words[0]
            for each in self.instead((word,))
            if len(each.words) == 1 and not each.cost
        }

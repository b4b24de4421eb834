"""Synonyms as an index keeps them, by the words they apply to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from storagebox.search.engine.text import Tokenizer

MAX_SPAN: Final = 6  # words of a query that one synonym may stand for

_CORRECTIONS: Final = {"altcorrection1": 1, "altcorrection2": 2}


@dataclass(frozen=True, slots=True)
class Instead:
    """Words that are as good as some others, at a cost in typos."""

    words: tuple[str, ...]
    cost: int


class Synonyms:
    """What may be searched for instead of some words of a query."""

    def __init__(self, kept: object, tokenizer: Tokenizer) -> None:
        self._by_words: dict[tuple[str, ...], list[Instead]] = {}
        self._tokenizer = tokenizer
        if isinstance(kept, Mapping):
            for each in cast("Mapping[str, object]", kept).values():
                if isinstance(each, Mapping):
                    self._add(cast("Mapping[str, object]", each))

    def __bool__(self) -> bool:
        return bool(self._by_words)

    def instead(self, words: tuple[str, ...]) -> list[Instead]:
        """What may be searched for instead of exactly these words."""
        return self._by_words.get(words, [])

    def _add(self, synonym: Mapping[str, object]) -> None:
        kind = str(synonym.get("type", "")).lower()
        if kind == "synonym":
            alike = _texts(synonym.get("synonyms"))
            for each in alike:
                self._put(each, [other for other in alike if other != each], 0)
        elif kind == "onewaysynonym":
            self._put(str(synonym.get("input", "")), _texts(synonym.get("synonyms")), 0)
        elif kind in _CORRECTIONS:
            corrections = _texts(synonym.get("corrections"))
            self._put(str(synonym.get("word", "")), corrections, _CORRECTIONS[kind])
        elif kind == "placeholder":
            # Records hold the placeholder; a query any of what may stand there.
            placeholder = str(synonym.get("placeholder", ""))
            for each in _texts(synonym.get("replacements")):
                self._put(each, [placeholder], 0)

    def _put(self, said: str, meant: list[str], cost: int) -> None:
        key = tuple(self._tokenizer.words(said))
        if not key or len(key) > MAX_SPAN:
            return
        known = self._by_words.setdefault(key, [])
        for each in meant:
            words = tuple(self._tokenizer.words(each))
            if words and words != key:
                known.append(Instead(words, cost))


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        return []
    return [each for each in cast("list[object]", value) if isinstance(each, str)]

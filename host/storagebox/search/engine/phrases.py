"""`advancedSyntax`: "words in quotes" stand as they are, -words don't stand in a record at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.text import Tokenizer

_PARTS: Final = re.compile(
    r'(?P<minus>(?<!\S)-)?"(?P<phrase>[^"]*)"?|(?<!\S)-(?P<excluded>[^\s"]+)|(?P<plain>[^\s"]+)'
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A query's text: its words, which of them (first, count) are phrases, and what mustn't be."""

    words: tuple[str, ...]
    phrases: tuple[tuple[int, int], ...] = ()
    excluded: tuple[tuple[str, ...], ...] = ()

    def in_phrase(self, at: int) -> bool:
        """Whether a word is part of a phrase."""
        return any(first <= at < first + count for first, count in self.phrases)


def spoken(text: str, tokenizer: Tokenizer, features: Sequence[str]) -> Spoken:
    """What a text says by the advanced syntax; `features` of it are exactPhrase, excludeWords."""
    words: list[str] = []
    phrases: list[tuple[int, int]] = []
    excluded: list[tuple[str, ...]] = []
    for part in _PARTS.finditer(text):
        if part["phrase"] is not None:
            inside = tokenizer.words(part["phrase"])
            if part["minus"] and "excludeWords" in features:
                excluded.append(tuple(inside))
                continue
            if inside and "exactPhrase" in features:
                phrases.append((len(words), len(inside)))
            words += inside
        elif part["excluded"] is not None and "excludeWords" in features:
            excluded.append(tuple(tokenizer.words(part["excluded"])))
        else:
            words += tokenizer.words(part["plain"] or part["excluded"])
    return Spoken(tuple(words), tuple(phrases), tuple(each for each in excluded if each))


def holding(snapshot: Snapshot, rows: Rows, phrase: Sequence[str]) -> NDArray[np.bool_]:
    """Which of some ascending rows have these words one behind the other."""
    owner, ids, codes = snapshot.tokens(rows)
    places = (owner << 16) | codes.astype(np.int64)
    chain: NDArray[np.int64] | None = None
    for word in phrase:
        here = places[np.isin(ids, snapshot.ids(word))]
        chain = here if chain is None else here[np.isin(here - 1, chain)]
    result = np.zeros(len(rows), np.bool_)
    if chain is not None:
        result[chain >> 16] = True
    return result

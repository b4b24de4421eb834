"""`advancedSyntax`: "words in quotes" stand as they are, -words don't stand in a record at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.text import Tokenizer
from storagebox.search.language.query_text import Part


@dataclass(frozen=True, slots=True)
class Spoken:
    """A query's text: its words, which of them (first, count) are phrases, and what mustn't be."""

    words: tuple[str, ...]
    phrases: tuple[tuple[int, int], ...] = ()
    excluded: tuple[tuple[str, ...], ...] = ()

    def in_phrase(self, at: int) -> bool:
        """Whether a word is part of a phrase."""
        return any(first <= at < first + count for first, count in self.phrases)


def spoken(parts: Sequence[Part], tokenizer: Tokenizer) -> Spoken:
    """What the parts of a query's text say."""
    words: list[str] = []
    phrases: list[tuple[int, int]] = []
    excluded: list[tuple[str, ...]] = []
    for part in parts:
        found = tokenizer.words(part.text)
        if part.kind == "excluded":
            excluded.append(tuple(found))
            continue
        if part.kind == "phrase" and found:
            phrases.append((len(words), len(found)))
        words += found
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

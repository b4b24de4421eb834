"""The best of what matches a query: each reading's rows ranked, and the readings merged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import tiebreak
from storagebox.search.engine.candidates import Found
from storagebox.search.engine.closeness import closeness
from storagebox.search.engine.filtering import holds
from storagebox.search.engine.geo import steps
from storagebox.search.engine.matching import Matches
from storagebox.search.engine.meaning import Reading
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.tiebreak import Column, Ranked
from storagebox.search.language.query import Query

MOST_RANKED: Final = 20_000
"""Rows equal so far of which the places of words are looked at; further ones in custom order."""


def best(snapshot: Snapshot, query: Query, matches: Matches, count: int) -> Ranked:
    """The best `count` rows in order."""
    ranked = [
        tiebreak.rank(
            snapshot,
            each.found,
            query.ranking,
            query.settings.custom_ranking,
            partial(_cheap, snapshot, query, matches, each.reading),
            partial(closeness, snapshot, slots=each.slots, places=matches.places),
            count,
            MOST_RANKED,
        )
        for each in matches.matched
    ]
    return _merged(snapshot, ranked, count)


def _cheap(
    snapshot: Snapshot,
    query: Query,
    matches: Matches,
    reading: Reading,
    criterion: str,
    found: Found,
) -> Column:
    """The criteria that are known without looking at where words stand."""
    match criterion:
        case "typo":
            return tiebreak.typos(found) + reading.cost
        case "geo" if matches.around is not None:
            return steps(matches.around.of(found.rows), query.around_precision)
        case "words":
            return -_words(reading, found.grades)
        case "filters" if query.optional:
            return -_scores(snapshot, query, found.rows)
        case _:
            return np.zeros(len(found.rows), np.int64)


def _words(reading: Reading, grades: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many words of the query matched; one that is several here counts if any of them did."""
    total = np.zeros(len(grades), np.int64)
    spans = {word.at: word.span for word in reading.words}
    for at, span in spans.items():
        columns = [j for j, word in enumerate(reading.words) if word.at == at]
        total += span * (grades[:, columns] > 0).any(axis=1)
    return total


def _scores(snapshot: Snapshot, query: Query, rows: Rows) -> NDArray[np.int64]:
    """What each row gains from optional filters."""
    total = np.zeros(len(rows), np.int64)
    for group in query.optional:
        gained = np.zeros(len(rows), np.int64)
        for each in group:
            score = holds(snapshot, each.node, rows) * each.score
            gained = gained + score if query.sum_or_filters_scores else np.maximum(gained, score)
        total += gained
    return total


def _merged(snapshot: Snapshot, ranked: Sequence[Ranked], count: int) -> Ranked:
    """Each row by the reading that ranks it best."""
    if not ranked:
        return Ranked(np.zeros(0, np.int64), {}, False)
    if len(ranked) == 1:
        return ranked[0]
    rows = np.concatenate([each.rows for each in ranked])
    columns: dict[str, Column] = {
        name: np.concatenate([each.criteria[name] for each in ranked])
        for name in ranked[0].criteria
    }
    order = np.lexsort((snapshot.numbers(rows), *reversed(columns.values())))
    first = np.unique(rows[order], return_index=True)[1]
    order = order[np.sort(first)][:count]
    return Ranked(
        rows[order],
        {name: column[order] for name, column in columns.items()},
        any(each.cut for each in ranked),
    )

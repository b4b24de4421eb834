"""Relevant sort: which of its primary's records a virtual replica shows, and in which order.

As Algolia describes it: the primary's ranking puts what matches in order; of the first
`paginationLimitedTo` those that are relevant enough are taken, by a score from 0 to 100 against
the best of them (`relevancyStrictness`); and these are sorted by the replica's `customRanking`.

How the score comes about Algolia doesn't say. Here it follows the tie-break, so that whatever
ranks before a record scores no less: of the n criteria that look at the text, in the order of the
ranking, let the k-th be the first (counted from 0) in which a record is worse than the best one,
by d; its score is 100 (k + 1 / (1 + d)) / n, or 100 if it is worse in none. `attribute` is the
rank of the attribute, wherever in it the words stand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.budget import Budget
from storagebox.search.engine.matching import Matches
from storagebox.search.engine.ordering import best
from storagebox.search.engine.places import ATTRIBUTE_STEP
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.tiebreak import Ranked
from storagebox.search.language.query import Query

_OF_THE_TEXT: Final = ("typo", "words", "proximity", "attribute", "exact")
_BEST: Final = 100.0


def chosen(
    snapshot: Snapshot, query: Query, matches: Matches, budget: Budget
) -> tuple[Matches, Query]:
    """What of the matches is shown, and the query by whose ranking it is sorted."""
    own = snapshot.layout.settings
    settings = replace(query.settings, custom_ranking=own.custom_ranking)
    as_primary = replace(query, settings=settings)
    ranked = best(snapshot, as_primary, matches, own.pagination_limited_to, budget)
    strictness = query.relevancy_strictness
    if strictness:
        names = [str(each) for each in query.ranking if each in _OF_THE_TEXT]
        ranked = ranked.pick(np.flatnonzero(_scores(ranked, names) >= strictness))
    shown = matches.pick(np.sort(ranked.rows))
    return shown, replace(query, ranking=("custom",))


def _scores(ranked: Ranked, names: list[str]) -> NDArray[np.float64]:
    """How relevant each row is, best first."""
    scores = np.full(len(ranked.rows), _BEST)
    alike = np.ones(len(ranked.rows), np.bool_)
    for number, name in enumerate(names):
        column = ranked.criteria.get(name)
        if column is None or not len(column):  # all are equal
            continue
        if name == "attribute":
            column = column // ATTRIBUTE_STEP
        worse_by = column - column[0]
        worse = alike & (worse_by > 0)
        scores[worse] = _BEST * (number + 1 / (1 + worse_by[worse])) / len(names)
        alike &= ~worse
    return scores

"""The best of what matches a query: each reading's rows ranked, and the readings merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import tiebreak
from storagebox.search.engine.budget import Budget
from storagebox.search.engine.candidates import Found
from storagebox.search.engine.closeness import at_best, closeness
from storagebox.search.engine.filtering import holds
from storagebox.search.engine.geo import steps
from storagebox.search.engine.matching import Matches, words_matched
from storagebox.search.engine.meaning import Reading
from storagebox.search.engine.places import Places
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.slots import Slot
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.tiebreak import Column, Measures, Ranked
from storagebox.search.language.attributes import CRITERIA, Criterion, Sort
from storagebox.search.language.query import Query


def best(
    snapshot: Snapshot,
    query: Query,
    matches: Matches,
    count: int,
    budget: Budget,
) -> Ranked:
    """The best `count` rows in order."""
    ranking = expanded(query)
    ranked: list[Ranked] = []
    for each in matches.matched:
        if _is_hopeless(ranking, ranked, each.reading, count):
            continue
        aside = _aside(each.reading, query.min_proximity)
        at_its_best = at_best(each.slots, matches.places)
        measures = Measures(
            cheap=partial(_cheap, snapshot, query, matches, each.reading),
            textual=partial(_textual, snapshot, matches.places, each.slots, aside),
            best={name: best + aside.get(name, 0) for name, best in at_its_best.items()},
        )
        best_rows = tiebreak.rank(snapshot, each.found, ranking, measures, count, budget)
        if "words" in ranking and "words" not in best_rows.criteria:
            words = np.full(len(best_rows.rows), -sum(each.reading.spans.values()))
            best_rows = replace(best_rows, criteria={**best_rows.criteria, "words": words})
        ranked.append(best_rows)
    return _merged(snapshot, ranking, ranked, count)


def explained(snapshot: Snapshot, query: Query, matches: Matches, ranked: Ranked) -> Ranked:
    """`ranked` with the numbers of those criteria too that the ranking doesn't compare."""
    missing = [each for each in CRITERIA if each not in query.ranking]
    if not missing or not len(ranked.rows):
        return ranked
    rows = np.sort(ranked.rows)
    every = replace(query, ranking=CRITERIA)
    told = best(snapshot, every, matches.pick(rows), len(rows), Budget(None))
    place_of = {row: at for at, row in enumerate(told.rows.tolist())}
    # Promoted rows need not match: they have no numbers.
    places = np.array([place_of.get(row, -1) for row in ranked.rows.tolist()], np.int64)
    added = {
        name: np.where(places >= 0, told.criteria[name][places], 0)
        for name in missing
        if name in told.criteria and len(told.rows)
    }
    return replace(ranked, criteria={**ranked.criteria, **added})


def expanded(query: Query) -> list[Criterion | Sort]:
    """What decides, with the sorts of customRanking in place of "custom"."""
    ranking: list[Criterion | Sort] = []
    for each in query.ranking:
        if (each == "geo" and query.around_lat_lng is None) or (
            each == "filters" and not query.optional
        ):
            continue
        ranking += query.settings.custom_ranking if each == "custom" else (each,)
    return list(dict.fromkeys(ranking))


def _is_hopeless(
    ranking: Sequence[Criterion | Sort], ranked: Sequence[Ranked], reading: Reading, count: int
) -> bool:
    """Whether what other readings found is better than whatever this one can find."""
    if not ranked or not ranking or ranking[0] != "typo":
        return False
    return any(
        len(each.rows) >= count and (not count or each.typos_at_most < reading.cost)
        for each in ranked
    )


def _aside(reading: Reading, min_proximity: int) -> dict[str, int]:
    """What a synonym adds to criteria by having more or fewer words than what it stands for.

    As if the words it lacks stood next to each other, or those it has too many weren't counted.
    """
    if not reading.longer:
        return {}
    aside = {"proximity": -reading.longer * min_proximity}
    if reading.exact:
        aside["exact"] = reading.longer
    return aside


def _textual(
    snapshot: Snapshot,
    places: Places,
    slots: Sequence[Slot],
    aside: Mapping[str, int],
    found: Found,
) -> Mapping[str, NDArray[np.int64]]:
    """Proximity, attribute and exact of each row."""
    values = closeness(snapshot, found, slots, places)
    if not aside:
        return values
    return {name: column + aside.get(name, 0) for name, column in values.items()}


def _cheap(
    snapshot: Snapshot,
    query: Query,
    matches: Matches,
    reading: Reading,
    criterion: str,
    found: Found,
) -> Column | None:
    """The criteria that are known without looking at where words stand; None if all are equal."""
    match criterion:
        case "typo" if reading.words:
            return tiebreak.typos(found.grades) + np.uint8(reading.cost)
        case "geo" if matches.around is not None:
            return steps(matches.around.of(found.rows), query.around_precision)
        case "words" if any(word.optional for word in reading.words):
            return -words_matched(reading, found.grades)
        case "filters" if query.optional:
            return -_scores(snapshot, query, found.rows)
        case _:
            return None


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


def _merged(
    snapshot: Snapshot,
    ranking: Sequence[Criterion | Sort],
    ranked: Sequence[Ranked],
    count: int,
) -> Ranked:
    """Each row by the reading that ranks it best."""
    if not ranked:
        return Ranked(np.zeros(0, np.int64), {})
    if len(ranked) == 1:
        return ranked[0]
    rows = np.concatenate([each.rows for each in ranked])
    columns: dict[str, Column] = {}
    for name in (tiebreak.name_of(each) for each in ranking):
        if any(name in each.criteria for each in ranked):
            # Where all rows of a reading are equal it has no column.
            columns[name] = np.concatenate(
                [each.criteria.get(name, np.zeros(len(each.rows), np.int64)) for each in ranked]
            )
    keys = [*columns.values(), *snapshot.own_order(rows)]
    order = np.lexsort(tuple(reversed(keys)))
    first = np.unique(rows[order], return_index=True)[1]
    order = order[np.sort(first)][:count]
    return Ranked(
        rows[order],
        {name: column[order] for name, column in columns.items()},
    )

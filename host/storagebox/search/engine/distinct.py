"""`distinct`: of records with the same value of `attributeForDistinct`, only the best are shown.

Groups stand in the order of their best records, and the records of one group one after the other.
A record without a value is a group of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.budget import Budget
from storagebox.search.engine.matching import Matches
from storagebox.search.engine.ordering import best
from storagebox.search.engine.part import NO_VALUE
from storagebox.search.engine.promotion import promote, promoted_rows
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.tiebreak import Ranked
from storagebox.search.language.query import Query

_AHEAD: Final = 4  # rows ranked for each group wanted, at first


@dataclass(frozen=True, slots=True)
class Grouped:
    """The rows to be shown in order, and for each how many of its group stand before it.

    `heads`: one row of each group that matches, the first in the index's own order; ascending.
    """

    ranked: Ranked
    sequence: NDArray[np.int64]
    heads: Rows


def groups(snapshot: Snapshot, attribute: str, rows: Rows) -> NDArray[np.int64]:
    """The group of each of some rows in any order: equal numbers, equal groups."""
    at = snapshot.layout.facets.index(attribute)
    old, new = snapshot.base.part.facets[at], snapshot.tail.facets[at]
    order = np.argsort(rows, kind="stable")
    owner, values = snapshot.values(old, new, rows[order])
    # Of several values the first counts; the last written stays.
    found = np.zeros(len(rows), np.int64)
    found[order[owner[::-1]]] = values[::-1]
    return np.where(found == NO_VALUE, -1 - rows, found)


def grouped(
    snapshot: Snapshot,
    query: Query,
    matches: Matches,
    attribute: str,
    first: int,
    end: int,
    budget: Budget,
) -> Grouped:
    """The groups from number `first` up to `end`, `query.distinct` records of each at most.

    Records that rules promote stand in place of their groups.
    """
    found_heads = heads(snapshot, attribute, matches.rows)
    wanted = np.array([row for _, row in promoted_rows(snapshot, query)], np.int64)
    if not len(wanted):
        ranked, sequence = _grouped(snapshot, query, matches, attribute, first, end, budget)
        return Grouped(ranked, sequence, found_heads)
    ranked, sequence = _grouped(snapshot, query, matches, attribute, 0, end + len(wanted), budget)
    instead = groups(snapshot, attribute, wanted)
    kept = np.flatnonzero(~np.isin(groups(snapshot, attribute, ranked.rows), instead))
    sequence_of = dict(zip(ranked.rows.tolist(), sequence.tolist(), strict=True))
    ranked = promote(snapshot, query, matches, ranked.pick(kept)).part(first, end)
    numbers = groups(snapshot, attribute, matches.rows)
    added = int(np.count_nonzero(~np.isin(np.unique(instead), numbers)))
    sequence = np.array([sequence_of.get(row, 0) for row in ranked.rows.tolist()], np.int64)
    return Grouped(replace(ranked, added=added), sequence, found_heads)


def heads(snapshot: Snapshot, attribute: str, rows: Rows) -> Rows:
    """The first of each group in the index's own order, ascending; `rows` ascend."""
    numbers = groups(snapshot, attribute, rows)
    in_base = int(np.searchsorted(rows, snapshot.base_rows))
    known, first = np.unique(numbers[:in_base], return_index=True)
    if in_base == len(rows):
        return np.sort(rows[first])
    # The base's rows stand in that order; only groups that the tail has rows of are looked at.
    shared = np.isin(known, numbers[in_base:])
    rest = np.concatenate([first[shared], np.arange(in_base, len(rows))])
    rest = rest[np.lexsort(tuple(reversed(snapshot.own_order(rows[rest]))))]
    others = rest[np.unique(numbers[rest], return_index=True)[1]]
    return np.sort(rows[np.concatenate([first[~shared], others])])


def _grouped(
    snapshot: Snapshot,
    query: Query,
    matches: Matches,
    attribute: str,
    first: int,
    end: int,
    budget: Budget,
) -> tuple[Ranked, NDArray[np.int64]]:
    """`grouped` without regard to rules: the rows, and their numbers in their groups."""
    total = len(matches.rows)
    count = min(max(end * _AHEAD, 1), total)
    while True:
        ranked = best(snapshot, query, matches, count, budget)
        found = groups(snapshot, attribute, ranked.rows)
        _, heads = np.unique(found, return_index=True)
        heads.sort()
        if len(heads) >= end or count >= total:
            break
        count = min(count * 4, total)
    chosen = found[heads[first:end]]
    if query.distinct > 1 and len(chosen):
        # The others of a group may stand far behind its best.
        all_groups = groups(snapshot, attribute, matches.rows)
        members = matches.rows[np.isin(all_groups, chosen)]
        ranked = best(snapshot, query, matches.pick(members), len(members), budget)
        found = groups(snapshot, attribute, ranked.rows)
    rank_of = {group: order for order, group in enumerate(chosen.tolist())}
    taken: dict[int, list[int]] = {}
    for at, group in enumerate(found.tolist()):
        if group in rank_of and len(taken.setdefault(group, [])) < query.distinct:
            taken[group].append(at)
    picked = [at for group in chosen.tolist() for at in taken[group]]
    sequence = [number for group in chosen.tolist() for number in range(len(taken[group]))]
    return ranked.pick(np.array(picked, np.int64)), np.array(sequence, np.int64)

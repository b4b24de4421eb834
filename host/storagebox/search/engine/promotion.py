"""Records that rules put at fixed positions."""

from __future__ import annotations

import numpy as np

from storagebox.search.engine.filtering import holds
from storagebox.search.engine.matching import Matches
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.tiebreak import Ranked
from storagebox.search.language.query import Query


def promoted_rows(snapshot: Snapshot, query: Query) -> list[tuple[int, int]]:
    """The positions that `query.promoted` names and the row for each, if there is one."""
    wanted: list[tuple[int, int]] = []
    for each in query.promoted:
        found = snapshot.rows_of((each.object_id,))
        if each.filtered and query.filters is not None:
            found = found[holds(snapshot, query.filters, found)]
        wanted += [(each.position, row) for row in found.tolist()]
    return wanted


def promote(snapshot: Snapshot, query: Query, matches: Matches, ranked: Ranked) -> Ranked:
    """The best rows with those that `query.promoted` names at their positions.

    A promoted record needn't match the words; with `filtered` it has to match the filters.
    """
    wanted = promoted_rows(snapshot, query)
    if not wanted:
        return ranked
    promoted = {row for _, row in wanted}
    rest = [at for at, row in enumerate(ranked.rows.tolist()) if row not in promoted]
    order: list[int] = list(rest)
    rows: list[int] = [int(ranked.rows[at]) for at in rest]
    for position, row in sorted(wanted):
        place = min(position, len(rows))
        known = np.flatnonzero(ranked.rows == row)
        rows.insert(place, row)
        order.insert(place, int(known[0]) if len(known) else -1)
    places = np.array(order, np.int64)
    criteria = {
        name: np.where(places >= 0, column[places], 0) if len(column) else np.zeros(len(places))
        for name, column in ranked.criteria.items()
    }
    added = int(np.count_nonzero(~np.isin(np.array(sorted(promoted)), matches.rows)))
    return Ranked(np.array(rows, np.int64), criteria, added, frozenset(promoted))

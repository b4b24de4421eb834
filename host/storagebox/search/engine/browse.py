"""All that matches, page by page, in the index's own order: its sorts, then as records were put.

The cursor says where the last page ended: the sort keys and the number of its last record. Any
replica that holds the same log up to there goes on from it, and records that are written meanwhile
neither shift the rest nor bring any back. Sorts by strings don't take part, since replicas may
count through their strings differently.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from storagebox.search.engine.matching import match
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.search import words_of
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.query import Query

_STRINGLESS: Final = "sorts without strings"


def page(
    snapshot: Snapshot, query: Query, after: str | None, limit: int
) -> tuple[Rows, str | None]:
    """The next `limit` rows behind the cursor `after`, and the cursor for what comes then.

    None starts from the beginning, and is the cursor behind the last page. Raises LanguageError
    for a cursor that is none.
    """
    rows = match(snapshot, query, words_of(snapshot, query)).rows
    sorts, last = _decoded(after) if after else (_sorts(snapshot), None)
    if any(at >= len(snapshot.layout.sorts) for at in sorts):
        raise _fault()
    keys: list[NDArray[np.float64]] = [snapshot.sort_column(at, rows) for at in sorts]
    numbers = snapshot.numbers(rows).astype(np.float64)
    keys.append(numbers)
    if last is not None:
        behind = _behind(keys, last)
        rows = rows[behind]
        keys = [column[behind] for column in keys]
    order = np.lexsort(tuple(reversed(keys)))
    chosen = order[:limit]
    if len(order) <= limit:
        return rows[chosen], None
    end = chosen[-1]
    return rows[chosen], _encoded(sorts, [float(column[end]) for column in keys])


def _sorts(snapshot: Snapshot) -> list[int]:
    """Which of the layout's sorts are by numbers alone."""
    known = snapshot.cache.get(_STRINGLESS)
    if known is None:
        known = snapshot.cache[_STRINGLESS] = [
            at
            for at in range(len(snapshot.layout.sorts))
            if not snapshot.base.sort_names[at] and not snapshot.tail_strings[at]
        ]
    return cast("list[int]", known)


def _behind(keys: list[NDArray[np.float64]], last: list[float]) -> NDArray[np.bool_]:
    behind = np.zeros(len(keys[0]), np.bool_)
    equal = np.ones(len(keys[0]), np.bool_)
    for column, value in zip(keys, last, strict=True):
        behind |= equal & (column > value)
        equal &= column == value
    return behind


def _encoded(sorts: list[int], keys: list[float]) -> str:
    # JSON has no infinity, the key of a record without a value.
    plain = [None if key == np.inf else key for key in keys]
    return base64.urlsafe_b64encode(orjson.dumps([sorts, plain])).decode()


def _decoded(cursor: str) -> tuple[list[int], list[float]]:
    try:
        loaded = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        sorts, plain = cast("tuple[list[int], list[float | None]]", loaded)
        if len(plain) != len(sorts) + 1 or not all(type(at) is int and at >= 0 for at in sorts):
            raise _fault()
        return list(sorts), [np.inf if key is None else float(key) for key in plain]
    except (binascii.Error, orjson.JSONDecodeError, TypeError, ValueError) as fault:
        raise _fault() from fault


def _fault() -> LanguageError:
    return LanguageError("cursor: not one that this index gave: start browsing anew without it")

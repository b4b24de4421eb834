"""All that matches, page by page, in the index's own order: its sorts, then as records were put.

The sorts are those of `ranking` with those of `customRanking` in place of "custom"; words, typos
and places count for nothing. Numbers come before strings, strings by their code points, records
without a value last.

The cursor says where the last page ended: its last record's values in the sorts, and its number.
Any replica that holds the same log up to there goes on from it, and records that are written
meanwhile neither shift the rest nor bring any back.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from storagebox.search.engine.matching import match
from storagebox.search.engine.ordering import expanded
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.search import words_of
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.string_keys import NewString, key_among, keys_of_new, places_of
from storagebox.search.language.attributes import Sort
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.query import Query

_NEW: Final = "new strings of a sort"

Value = float | str | None


def page(
    snapshot: Snapshot, query: Query, after: str | None, limit: int
) -> tuple[Rows, str | None]:
    """The next `limit` rows behind the cursor `after`, and the cursor for what comes then.

    None starts from the beginning, and is the cursor behind the last page. Raises LanguageError
    for a cursor that is none, or of other settings.
    """
    rows = match(snapshot, query, words_of(snapshot, query)).rows
    columns = [_Column(snapshot, sort) for sort in _sorts(snapshot, query)]
    keys = [column.keys(rows) for column in columns]
    numbers = snapshot.numbers(rows).astype(np.float64)
    if after:
        values, number = _decoded(after, columns)
        last = [column.key(value) for column, value in zip(columns, values, strict=True)]
        behind = _behind([*keys, numbers], [*last, number])
        rows, numbers = rows[behind], numbers[behind]
        keys = [column[behind] for column in keys]
    order = np.lexsort((numbers, *reversed(keys)))
    chosen = order[:limit]
    if len(order) <= limit:
        return rows[chosen], None
    end = chosen[-1]
    values = [column.value(float(of[end])) for column, of in zip(columns, keys, strict=True)]
    return rows[chosen], _encoded(columns, values, float(numbers[end]))


def _sorts(snapshot: Snapshot, query: Query) -> list[Sort]:
    known = snapshot.layout.sorts
    return [each for each in expanded(query) if isinstance(each, Sort) and each in known]


class _Column:
    """One sort of a snapshot: the keys of rows, and what they stand for."""

    def __init__(self, snapshot: Snapshot, sort: Sort) -> None:
        self._snapshot = snapshot
        self._at = snapshot.layout.sorts.index(sort)
        self._descending = sort.descending
        self._names = snapshot.base.sort_names[self._at]
        self.name = f"{'desc' if sort.descending else 'asc'}({sort.attribute})"

    def keys(self, rows: Rows) -> NDArray[np.float64]:
        """What ascending rows are compared by, their strings all in order."""
        keys = self._snapshot.sort_column(self._at, rows)
        if not self._new():
            return keys
        tail = self._snapshot.tail.sorts[self._at].copy()
        for row, key in keys_of_new(self._new(), descending=self._descending):
            tail[row] = key
        old, new = self._snapshot.split(rows)
        return np.concatenate([keys[: len(old)], tail[new]])

    def key(self, value: Value) -> float:
        """What a record with this value is compared by, whether there is one or not."""
        if value is None:
            return np.inf
        if isinstance(value, str):
            return key_among(value, self._names, self._new(), descending=self._descending)
        return -value if self._descending else value

    def value(self, key: float) -> Value:
        """What a row's key stands for."""
        if key == np.inf:
            return None
        known, places = places_of(np.array([key]), len(self._names), descending=self._descending)
        if known[0]:
            return self._names[int(places[0])]
        for row, other in keys_of_new(self._new(), descending=self._descending):
            if other == key:
                return next(each.string for each in self._new() if each.row == row)
        return -key if self._descending else key

    def _new(self) -> list[NewString]:
        cache = self._snapshot.cache
        found = cache.get((_NEW, self._at))
        if found is None:
            count = len(self._snapshot.tail)
            strings = self._snapshot.tail_strings[self._at]
            found = cache[_NEW, self._at] = [each for each in strings if each.row < count]
        return cast("list[NewString]", found)


def _behind(keys: list[NDArray[np.float64]], last: list[float]) -> NDArray[np.bool_]:
    behind = np.zeros(len(keys[0]), np.bool_)
    equal = np.ones(len(keys[0]), np.bool_)
    for column, value in zip(keys, last, strict=True):
        behind |= equal & (column > value)
        equal &= column == value
    return behind


def _encoded(columns: list[_Column], values: list[Value], number: float) -> str:
    names = [column.name for column in columns]
    return base64.urlsafe_b64encode(orjson.dumps([names, values, number])).decode()


def _decoded(cursor: str, columns: list[_Column]) -> tuple[list[Value], float]:
    try:
        names, values, number = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        whole: list[Value] = [
            each if each is None or isinstance(each, str) else float(each) for each in values
        ]
        last = float(number)
    except (binascii.Error, orjson.JSONDecodeError, TypeError, ValueError) as fault:
        raise _fault() from fault
    if names != [column.name for column in columns] or len(whole) != len(columns):
        raise _fault()
    return whole, last


def _fault() -> LanguageError:
    return LanguageError(
        "cursor: not one that this index gave, by these settings: start browsing anew without it"
    )

"""Builds a base from an older one and its tail: dead rows out, rows ranked, words sorted.

All of it is numpy over whole columns, about a microsecond a token, and mostly without the
interpreter's lock: searches go on meanwhile on what was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.part import NO_VALUE, Base, Part, postings_of
from storagebox.search.engine.ragged import Array, Ragged, Rows, spans
from storagebox.search.engine.string_keys import key_of, places_of
from storagebox.search.engine.vocabulary import Words


def build(
    base: Base,
    tail: Part,
    tail_keys: NDArray[np.uint64],
    tail_words: Sequence[str],
    values: Sequence[int],
    sort_values: Sequence[Sequence[float | str | None]],
    descending: Sequence[bool],
) -> Base:
    """One base of the rows of two parts that are alive.

    `tail_words` have the ids behind the base's. By facet, values have ids below `values`. By sort,
    `sort_values` are what the tail's records have for it.
    """
    alive = np.concatenate([base.part.alive, tail.alive])
    sorts, sort_names = _sort_columns(base, tail, sort_values, descending)
    numbers = np.concatenate([base.part.numbers, tail.numbers])
    # Equals stand in the order in which they were put.
    order = np.lexsort((numbers, *reversed(sorts)))
    order = order[alive[order]]
    tokens, codes = _tokens(base.part, tail, order)
    words, places = _vocabulary(base.words.words, tail_words, tokens.flat)
    tokens = Ragged(tokens.ptr, places[tokens.flat].astype(np.uint32))
    facets = tuple(
        _column(a, b, order) for a, b in zip(base.part.facets, tail.facets, strict=True)
    )
    part = Part(
        numbers=numbers[order],
        sizes=np.concatenate([base.part.sizes, tail.sizes])[order],
        alive=np.ones(len(order), np.bool_),
        tokens=tokens,
        codes=codes,
        facets=facets,
        numerics=_numerics(base.part, tail, order),
        sorts=tuple(column[order] for column in sorts),
        places=_places(base.part.places, tail.places, order),
    )
    keys, rows_by_key = _keys(base, tail_keys, order)
    return Base(
        part=part,
        words=Words(words),
        postings=postings_of(tokens, len(words), codes),
        values=tuple(
            postings_of(column, size, None) for column, size in zip(facets, values, strict=True)
        ),
        keys=keys,
        rows_by_key=rows_by_key,
        sort_names=sort_names,
    )


def _keys(
    base: Base, tail_keys: NDArray[np.uint64], order: Rows
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """The keys of the rows in `order`, ascending, and the row of each."""
    before = np.zeros(len(base.keys) + len(tail_keys), np.uint64)
    before[base.rows_by_key] = base.keys
    before[len(base.keys) :] = tail_keys
    keys = before[order]
    by_key = np.argsort(keys)
    return keys[by_key], by_key.astype(np.uint32)


def _joined(a: Ragged, b: Ragged) -> tuple[NDArray[np.int64], Array]:
    """Where each row of two columns, one behind the other, starts, and their values."""
    a_ptr = np.arange(len(a) + 1) if a.ptr is None else a.ptr
    b_ptr = np.arange(len(b) + 1) if b.ptr is None else b.ptr
    a_end = int(a_ptr[-1])
    return np.concatenate([a_ptr, b_ptr[1:] + a_end]), np.concatenate(
        [a.flat[:a_end], b.flat[: int(b_ptr[-1])]]
    )


def _picked(ptr: NDArray[np.int64], order: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pointers of some rows in a new order, and the places of their values."""
    starts, ends = ptr[order], ptr[order + 1]
    new = np.zeros(len(order) + 1, np.int64)
    np.cumsum(ends - starts, out=new[1:])
    return new, spans(starts, ends)[0]


def _tokens(a: Part, b: Part, order: Rows) -> tuple[Ragged, NDArray[np.uint16]]:
    ptr, flat = _joined(a.tokens, b.tokens)
    codes = np.concatenate([a.codes, b.codes[: len(b.tokens.flat)]])
    new, places = _picked(ptr, order)
    return Ragged(new, flat[places]), codes[places]


def _vocabulary(
    known: Sequence[str], added: Sequence[str], used_ids: NDArray[Any]
) -> tuple[list[str], NDArray[np.int64]]:
    """The words that are used, sorted, and the place of each word among them or -1."""
    all_words = [*known, *added]
    used = np.flatnonzero(np.bincount(used_ids, minlength=len(all_words))).tolist()
    order = sorted(used, key=all_words.__getitem__)
    place = np.full(len(all_words), -1, np.int64)
    place[order] = np.arange(len(order))
    return [all_words[at] for at in order], place


def _column(a: Ragged, b: Ragged, order: Rows) -> Ragged:
    """A facet's column; one value a row, NO_VALUE for none, if no row has more."""
    if _is_single(a) and _is_single(b):
        flat = np.concatenate([_dense(a, NO_VALUE), _dense(b, NO_VALUE)])
        return Ragged(None, flat[order])
    ptr, flat = _joined(*(_sparse(each, each.flat != NO_VALUE) for each in (a, b)))
    new, places = _picked(ptr, order)
    return Ragged(new, flat[places])


def _is_single(column: Ragged) -> bool:
    return column.ptr is None or int(np.diff(column.ptr).max(initial=0)) <= 1


def _dense(column: Ragged, none: float) -> Array:
    if column.ptr is None:
        return column.flat
    flat = np.full(len(column), none, column.flat.dtype)
    owner = np.repeat(np.arange(len(column)), np.diff(column.ptr))
    flat[owner] = column.flat[: len(owner)]
    return flat


def _numerics(a: Part, b: Part, order: Rows) -> dict[str, Ragged]:
    """Columns of numbers; one a row, NaN for none, if no row has more."""
    found: dict[str, Ragged] = {}
    for path in dict.fromkeys([*a.numerics, *b.numerics]):
        columns = (_numeric(a, path), _numeric(b, path))
        if all(_is_single(each) for each in columns):
            flat = np.concatenate([_dense(each, np.nan) for each in columns])[order]
            if not np.isnan(flat).all():
                found[path] = Ragged(None, flat)
            continue
        ptr, flat = _joined(*(_sparse(each, ~np.isnan(each.flat)) for each in columns))
        new, places = _picked(ptr, order)
        found[path] = Ragged(new, flat[places])
    return found


def _numeric(part: Part, path: str) -> Ragged:
    column = part.numerics.get(path)
    if column is None:
        return Ragged(np.zeros(len(part) + 1, np.int64), np.zeros(0))
    return column


def _sparse(column: Ragged, there: NDArray[np.bool_]) -> Ragged:
    """A column with pointers; `there` says which values of one without are any."""
    if column.ptr is not None:
        return column
    ptr = np.zeros(len(there) + 1, np.int64)
    np.cumsum(there, out=ptr[1:])
    return Ragged(ptr, column.flat[there])


def _places(a: Ragged, b: Ragged, order: Rows) -> Ragged:
    ptr, flat = _joined(a, b)
    new, places = _picked(ptr, order)
    return Ragged(new, flat[places])


def _sort_columns(
    base: Base,
    tail: Part,
    sort_values: Sequence[Sequence[float | str | None]],
    descending: Sequence[bool],
) -> tuple[list[NDArray[np.float64]], tuple[list[str], ...]]:
    """Sort keys of all rows, and the strings that they count through where there are any."""
    columns: list[NDArray[np.float64]] = []
    all_names: list[list[str]] = []
    for at, values in enumerate(sort_values):
        values = values[: len(tail)]
        old, new = base.part.sorts[at], tail.sorts[at]
        known = base.sort_names[at]
        strings = {value for value in values if isinstance(value, str)}
        if not strings - set(known):
            columns.append(np.concatenate([old, new]))
            all_names.append(known)
            continue
        names = sorted(strings | set(known))
        place = {name: order for order, name in enumerate(names)}
        moved = old.copy()
        # Numbers beside strings in one attribute stay what they are.
        are_strings, places = places_of(old, len(known), descending=descending[at])
        for row, order in zip(np.flatnonzero(are_strings), places, strict=True):
            moved[row] = key_of(place[known[order]], descending=descending[at])
        keys = new.copy()
        for row, value in enumerate(values):
            if isinstance(value, str):
                keys[row] = key_of(place[value], descending=descending[at])
        columns.append(np.concatenate([moved, keys]))
        all_names.append(names)
    return columns, tuple(all_names)

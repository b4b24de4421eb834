"""One index: changes go in as durable commits, searches look at what the last of them left."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, cast

import numpy as np
import orjson

from storagebox.search.engine.answer import Answer, Hit
from storagebox.search.engine.browse import page
from storagebox.search.engine.build import build
from storagebox.search.engine.changes import Change, Clear, Delete, Meta, Put
from storagebox.search.engine.facet_search import FacetAnswer, facet_search
from storagebox.search.engine.filtering import holds
from storagebox.search.engine.layout import Layout, Row
from storagebox.search.engine.matching import match
from storagebox.search.engine.part import Base, Names, empty_base
from storagebox.search.engine.search import search, words_of
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.store import Store
from storagebox.search.engine.synonyms import Synonyms
from storagebox.search.engine.tail import Tail
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import Node
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings

_HOT_RECORDS: Final = 4096  # kept as they are parsed: typing a word shows the same hits again
_TAIL_ROWS: Final = 1024  # from here on it is worth the while to build a base
_CHUNK: Final = 4096


class Index:
    """The records under one name, with their settings, synonyms and rules."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writing = threading.RLock()
        self._hot: OrderedDict[int, Mapping[str, Any]] = OrderedDict()
        self._reset(self._settings())
        self._take_in(self._store.since(0))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The index in `folder`, created if it isn't there."""
        return cls(Store(folder))

    @property
    def applied(self) -> int:
        """The position in the log up to which changes are in the last commit; 0 for none."""
        return self._store.applied

    def meta(self, name: str) -> object | None:
        """The JSON value kept beside the records under `name`."""
        return self._store.meta(name)

    def get(self, object_id: str) -> dict[str, Any] | None:
        """A record as it was put, with its objectID."""
        body = self._store.by_id(object_id)
        return None if body is None else cast("dict[str, Any]", orjson.loads(body))

    def __len__(self) -> int:
        return self._snapshot.size

    def size_bytes(self) -> int:
        """What the index takes on disk."""
        return self._store.size_bytes()

    def apply(self, changes: Iterable[Change], applied: int) -> None:
        """Make changes in order, in one durable commit that carries `applied`.

        Searches see them when it returns. If it raises, nothing has changed.
        """
        with self._writing:
            meta: dict[str, object] = {}
            rows: dict[str, tuple[int, Mapping[str, object]]] = {}
            gone: set[str] = set()
            cleared = False
            try:
                for change in changes:
                    match change:
                        case Put(object_id, record):
                            whole = {**record, "objectID": object_id}
                            body = orjson.dumps(whole)
                            rows[object_id] = self._store.put(object_id, body), whole
                            gone.add(object_id)
                        case Delete(object_id):
                            self._store.delete(object_id)
                            rows.pop(object_id, None)
                            gone.add(object_id)
                        case Clear():
                            self._store.clear()
                            rows.clear()
                            gone.clear()
                            cleared = True
                        case Meta(name, value):
                            meta[name] = value
                settings = (
                    Settings.from_json(cast("Mapping[str, object]", meta["settings"] or {}))
                    if "settings" in meta
                    else None
                )
                parsed = [
                    (number, _key(object_id), self._layout.row(record))
                    for object_id, (number, record) in rows.items()
                ]
                self._store.commit(meta, applied)
            except BaseException:
                self._store.rollback()
                raise
            if settings is not None:
                same = Layout(settings).fingerprint == self._layout.fingerprint
                if not same:
                    self._reset(settings)
                    self._take_in(self._store.since(0))
                    return
                self._layout = Layout(settings, self._layout.learnt)
            if "synonyms" in meta:
                self._synonyms = Synonyms(meta["synonyms"], self._layout.tokenizer)
            if cleared:
                self._reset(self._layout.settings)
            if gone:
                self._bury(gone)
            self._append(parsed)
            self._show()

    def search(self, query: Query, *, budget_ms: float | None = None) -> Answer:
        """The answer to a query. Any number of threads may search at once."""
        return search(self._snapshot, query, self._fetch)

    def facet_search(self, facet: str, facet_query: str, query: Query) -> FacetAnswer:
        """The values of a facet that match `facet_query`, counted in what `query` finds.

        Raises LanguageError if `facet` isn't `searchable(...)` in attributesForFaceting.
        """
        declared = query.settings.faceted(facet)
        if declared is None or not declared.searchable:
            raise LanguageError(
                f"Cannot search in `{facet}` attribute, you need to add `searchable({facet})`"
                " to attributesForFaceting."
            )
        snapshot = self._snapshot
        rows = match(snapshot, query, words_of(snapshot, query)).rows
        most = query.max_facet_hits or query.settings.max_facet_hits
        return facet_search(snapshot, facet, facet_query, query, rows, most)

    def browse(
        self, query: Query, after: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """The next records of what matches, and the cursor behind them; see browse.page."""
        snapshot = self._snapshot
        rows, cursor = page(snapshot, query, after, limit)
        hits = [
            Hit(str(record["objectID"]), record).to_json(query)
            for record in self._read(snapshot.numbers(rows).tolist())
        ]
        return hits, cursor

    def matching(self, query: Query | Node) -> list[str]:
        """The objectIDs of all that matches a query or a filter, in no order."""
        snapshot = self._snapshot
        if isinstance(query, Query):
            rows = match(snapshot, query, words_of(snapshot, query)).rows
        else:
            rows = snapshot.all_rows
            rows = rows[holds(snapshot, query, rows)]
        records = self._read(snapshot.numbers(rows).tolist())
        return [str(record["objectID"]) for record in records]

    def close(self) -> None:
        """Let go of the folder."""
        with self._writing:
            self._store.close()

    def _settings(self) -> Settings:
        return Settings.from_json(cast("Mapping[str, object]", self.meta("settings") or {}))

    def _reset(self, settings: Settings) -> None:
        self._layout = Layout(settings)
        self._synonyms = Synonyms(self.meta("synonyms"), self._layout.tokenizer)
        self._names = [Names() for _ in self._layout.facets]
        self._use(empty_base(len(self._layout.facets), len(self._layout.sorts)))
        self._show()

    def _use(self, base: Base) -> None:
        self._base = base
        self._alive = base.part.alive
        self._tail = Tail(base, self._names, self._layout.sorts)
        self._tail_alive = np.zeros(0, np.bool_)
        self._finder = _Finder(base, self._tail)

    def _take_in(self, records: Iterable[tuple[int, bytes]]) -> None:
        rows: list[tuple[int, int, Row]] = []
        for number, body in records:
            record = cast("dict[str, object]", orjson.loads(body))
            rows.append((number, _key(str(record["objectID"])), self._layout.row(record)))
            if len(rows) == _CHUNK:
                self._append(rows, compact=False)
                rows = []
        self._append(rows)
        self._show()

    def _append(self, rows: Sequence[tuple[int, int, Row]], *, compact: bool = True) -> None:
        if rows:
            self._tail.append(rows)
            self._tail_alive = np.concatenate([self._tail_alive, np.ones(len(rows), np.bool_)])
        if compact and len(self._tail) >= _TAIL_ROWS:
            self._compact()

    def _bury(self, object_ids: Iterable[str]) -> None:
        """Mark the rows of these records as dead, in copies: searches under way see them still."""
        alive, tail_alive = self._alive.copy(), self._tail_alive.copy()
        for object_id in object_ids:
            row = self._finder(object_id)
            if row >= len(alive):
                tail_alive[row - len(alive)] = False
            elif row >= 0:
                alive[row] = False
        self._alive, self._tail_alive = alive, tail_alive

    def _compact(self) -> None:
        part = self._base.part
        base = Base(
            part=type(part)(
                **{name: getattr(part, name) for name in type(part).__slots__ if name != "alive"},
                alive=self._alive,
            ),
            words=self._base.words,
            postings=self._base.postings,
            values=self._base.values,
            sort_names=self._base.sort_names,
        )
        sorts = self._layout.sorts
        built = build(
            base,
            self._tail.view(self._tail_alive),
            self._tail.words,
            self._names,
            [self._tail.sort_values(at) for at in range(len(sorts))],
            [sort.descending for sort in sorts],
        )
        self._use(built.base)

    def _show(self) -> None:
        """Let searches see the tables as they are now."""
        self._snapshot = Snapshot(
            self._layout,
            self._base,
            self._alive,
            self._tail.view(self._tail_alive),
            tuple(self._tail.words),
            tuple(self._names),
            self._synonyms,
            self._finder,
            self._tail.have_strings(),
        )

    def _fetch(self, numbers: Sequence[int]) -> list[Mapping[str, Any]]:
        """Records by their numbers; those of late from memory."""
        hot = self._hot
        found: dict[int, Mapping[str, Any]] = {}
        cold: list[int] = []
        for number in numbers:
            record = hot.get(number)
            if record is None:
                cold.append(number)
            else:
                found[number] = record
        for record, number in zip(self._read(cold), cold, strict=True):
            found[number] = hot[number] = record
        while len(hot) > _HOT_RECORDS:
            hot.popitem(last=False)
        return [found[number] for number in numbers]

    def _read(self, numbers: Sequence[int]) -> list[Mapping[str, Any]]:
        """Records by their numbers."""
        bodies = self._store.bodies(numbers)
        return [cast("dict[str, Any]", orjson.loads(body)) for body in bodies if body is not None]


class _Finder:
    """Finds rows by objectID, among a base's and the tail's behind it."""

    def __init__(self, base: Base, tail: Tail) -> None:
        keys = base.part.keys
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self._tail = tail

    def __call__(self, object_id: str) -> int:
        """The row, which may be dead, or -1."""
        key = _key(object_id)
        row = self._tail.rows_by_key.get(key)
        if row is not None:
            return len(self._keys) + row
        at = int(np.searchsorted(self._keys, np.uint64(key)))
        found = at < len(self._keys) and int(self._keys[at]) == key
        return int(self._order[at]) if found else -1


def _key(object_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(object_id.encode(), digest_size=8).digest(), "little")

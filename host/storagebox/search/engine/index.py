"""One index: changes go in as durable commits, searches look at what the last of them left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from storagebox.search.engine import checkpoint
from storagebox.search.engine.answer import Answer, Hit
from storagebox.search.engine.batch import Batch
from storagebox.search.engine.browse import page
from storagebox.search.engine.changes import Change
from storagebox.search.engine.checkpoint import Checkpoint
from storagebox.search.engine.facet_search import FacetAnswer, facet_search
from storagebox.search.engine.facets import value_of
from storagebox.search.engine.filtering import holds
from storagebox.search.engine.layout import Layout
from storagebox.search.engine.matching import match
from storagebox.search.engine.part import Base
from storagebox.search.engine.records import Records
from storagebox.search.engine.search import search, words_of
from storagebox.search.engine.store import Store
from storagebox.search.engine.synonyms import Synonyms
from storagebox.search.engine.tables import NewRow, Tables
from storagebox.search.engine.text import Token
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import Node
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings

_AT_ONCE: Final = 4096  # records taken in at once when the tables are made from the store
_REST: Final = 4  # building a base may take one of so many parts of the time, and one
_WORTH_SAVING: Final = 4096  # records that take a noticeable time to make rows of
_SAVED_SHARE: Final = 8  # one in so many may be missing in the checkpoint
_AGAIN_S: Final = 5.0  # until what failed, for want of memory say, is built again

Told = Callable[[str], object]
"""Hears what went wrong with what is only there to be fast, and what comes of it."""


class Index:
    """The records under one name, with their settings, synonyms and rules.

    One thread at a time may `apply`; any number may do everything else meanwhile.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        told: Told = lambda _: None,
    ) -> None:
        self._store = store
        self._told = told
        self._records = Records(store)
        self._clock = clock
        self._changing = threading.RLock()
        self._builder: threading.Thread | None = None
        self._build_from = 0.0
        self._closed = False
        self._saved_to = 0
        self.build_s = 0.0  # how long its tables took to make when all were made last
        self._open_tables()

    @classmethod
    def open(cls, folder: Path, told: Told = lambda _: None) -> Self:
        """The index in `folder`, created if it isn't there."""
        return cls(Store(folder), told=told)

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

    def data_bytes(self) -> int:
        """What the JSON of all records takes, without blanks."""
        return self._snapshot.data_bytes

    def apply(self, changes: Iterable[Change], applied: int) -> None:
        """Make changes in order, in one durable commit that carries `applied`.

        Searches see them when it returns. If it raises, nothing has changed.
        """
        batch = Batch()
        try:
            for change in changes:
                batch.add(self._store, change)
            settings = batch.settings()
            rows = [
                (number, object_id, self._tables.layout.row(record, size))
                for object_id, (number, record, size) in batch.rows.items()
            ]
            self._store.commit(batch.meta, applied)
        except BaseException:
            self._store.rollback()
            raise
        with self._changing:
            if "synonyms" in batch.meta:
                self._synonyms = self._read_synonyms(self._tables.layout)
            if settings is not None and not self._keeps_tables(settings):
                self._make_tables(settings)
                return
            if batch.cleared:
                self._tables = Tables(Layout(self._tables.layout.settings))
                self._saved_to = 0
            self._tables.bury(batch.gone)
            self._tables.append(rows)
            self._show()
        self._build_if_need_be()

    @property
    def synonyms(self) -> Synonyms:
        """The index's synonyms."""
        return self._synonyms

    def search(
        self, query: Query, *, budget_ms: float | None = None, synonyms: Synonyms | None = None
    ) -> Answer:
        """The answer to a query; approximate, and saying so, if it takes more than the budget.

        `synonyms` are those of the virtual replica through which it is asked.
        """
        return search(self._snapshot, query, self._records.get, budget_ms, synonyms)

    def facet_search(
        self, facet: str, facet_query: str, query: Query, synonyms: Synonyms | None = None
    ) -> FacetAnswer:
        """The values of a facet that match `facet_query`, counted in what `query` finds.

        Raises LanguageError if `facet` isn't `searchable(...)` in attributesForFaceting.
        """
        snapshot = self._snapshot
        declared = query.settings.faceted(facet)
        if (
            declared is None
            or not declared.searchable
            # Settings may be newer than the tables.
            or facet not in snapshot.layout.facets
        ):
            raise LanguageError(
                f"Cannot search in `{facet}` attribute, you need to add `searchable({facet})`"
                " to attributesForFaceting."
            )
        rows = match(snapshot, query, words_of(snapshot, query), synonyms=synonyms).rows
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
            for record in self._records.read(snapshot.numbers(rows).tolist())
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
        records = self._records.read(snapshot.numbers(rows).tolist())
        return [str(record["objectID"]) for record in records]

    def passes(self, object_id: str, wanted: Node | None) -> bool:
        """Whether a filter lets a record through; none lets through all."""
        if wanted is None:
            return True
        snapshot = self._snapshot
        rows = snapshot.rows_of((object_id,))
        return bool(holds(snapshot, wanted, rows).any())

    def tokens(self, text: str) -> Sequence[Token]:
        """The words of a text, as the index's settings have it."""
        return self._snapshot.layout.tokenizer.tokens(text)

    def facet_value(self, attribute: str, words: tuple[str, ...]) -> str | None:
        """The value of a facet that consists of exactly these words, if there is one."""
        return value_of(self._snapshot, attribute, words)

    def single_synonyms(self, word: str) -> Collection[str]:
        """The single words that are as good as a word."""
        return self._synonyms.single(word)

    def forget(self) -> None:
        """Let go of what is only remembered to answer faster."""
        self._records.forget()
        self._tables.forget()

    def settle(self) -> None:
        """Wait until no base is being built."""
        builder = self._builder
        if builder is not None:
            builder.join()

    def records(self) -> Iterator[bytes]:
        """The JSON of every record of the last commit, in the order in which they were put.

        It is that commit's to the end, whatever is committed meanwhile, in any thread.
        """
        return self._store.all()

    def close(self) -> None:
        """Let go of the folder. What the next opening would take long to make is saved."""
        self.settle()
        self._closed = True
        tables = self._tables
        try:
            if self._store.next_number - self._saved_to > _WORTH_SAVING:
                tables.build()
                self._save(tables, tables.base, self._store.next_number)
        finally:
            self._store.close()

    def _open_tables(self) -> None:
        settings = Settings.from_json(cast("Mapping[str, object]", self.meta("settings") or {}))
        layout = Layout(settings)
        self._synonyms = self._read_synonyms(layout)
        saved = checkpoint.load(self._store.folder)
        if (
            saved is None
            or saved.birth != self._store.birth
            or saved.layout != layout.fingerprint
            or saved.next_number > self._store.next_number
        ):
            self._make_tables(settings)
            return
        layout = Layout(settings, saved.learnt)
        self._tables = Tables(layout, saved.names, saved.base)
        self._saved_to, self.build_s = saved.next_number, saved.build_s
        self._tables.bury_rows(
            _missing(self._store, np.asarray(saved.base.part.numbers), saved.next_number)
        )
        self._take_in(saved.next_number)

    def _make_tables(self, settings: Settings) -> None:
        """Make the tables from all the records there are."""
        self._tables = Tables(Layout(settings))
        self._synonyms = self._read_synonyms(self._tables.layout)
        self._saved_to = 0
        self._take_in(0)

    def _take_in(self, first: int) -> None:
        """Take in all records from a number on."""
        began = self._clock()
        tables = self._tables
        rows: list[NewRow] = []
        for number, body in self._store.since(first):
            record = cast("dict[str, object]", orjson.loads(body))
            rows.append((number, str(record["objectID"]), tables.layout.row(record, len(body))))
            if len(rows) == _AT_ONCE:
                tables.append(rows)
                rows = []
        tables.append(rows)
        if tables.want_building:
            base = tables.begin_building()()
            self.build_s = self._clock() - began
            if self._store.next_number - self._saved_to > _WORTH_SAVING:
                base = self._save(tables, base, self._store.next_number)
            tables.end_building(base)
        self._show()

    def _keeps_tables(self, settings: Settings) -> bool:
        """Take on settings that change nothing in the tables; False if they do."""
        layout = Layout(settings, self._tables.layout.learnt)
        if layout.fingerprint != self._tables.layout.fingerprint:
            return False
        self._tables.layout = layout
        self._synonyms = self._read_synonyms(layout)
        return True

    def _read_synonyms(self, layout: Layout) -> Synonyms:
        return Synonyms(self.meta("synonyms"), layout.tokenizer)

    def _show(self) -> None:
        """Let searches see the tables as they are now."""
        self._snapshot = self._tables.snapshot(self._synonyms)

    def _build_if_need_be(self) -> None:
        """Start building a base in a thread of its own, unless one is or was a moment ago."""
        busy = self._builder is not None and self._builder.is_alive()
        if self._tables.want_building and not busy and self._clock() >= self._build_from:
            self._builder = threading.Thread(
                target=self._build, args=(self._tables,), name="index builder", daemon=True
            )
            self._builder.start()

    def _save(self, tables: Tables, base: Base, next_number: int) -> Base:
        """Make a checkpoint, unless there is no room for one; the base as it is to be used."""
        layout = tables.layout
        made = Checkpoint(
            base,
            tables.names,
            self._store.birth,
            next_number,
            layout.fingerprint,
            tuple(layout.learnt),
            self.build_s,
        )
        try:
            saved = checkpoint.save(self._store.folder, made)
        except OSError as fault:  # nothing is lost: it is made from the records again
            self._told(
                f"{self._store.folder}: its tables can't be saved ({fault.strerror}), so that the"
                " next start takes longer: free some room, and they are saved later"
            )
            return base
        self._saved_to = next_number
        return saved

    def _build(self, tables: Tables) -> None:
        began = self._clock()
        with self._changing:
            next_number = self._store.next_committed
            building = tables.begin_building()
        try:
            base = building()
        except Exception as fault:  # searches go on with what there is
            self._told(
                f"{self._store.folder}: its tables can't be built anew"
                f" ({type(fault).__name__}: {fault}), so that searches get slower: it is tried"
                " again with later writes"
            )
            with self._changing:
                tables.give_up_building()
            self._build_from = self._clock() + _AGAIN_S
            return
        self.build_s = self._clock() - began
        # Not after every building: cards wear out by writing.
        missing = next_number - self._saved_to
        if missing > max(_WORTH_SAVING, len(base.part) // _SAVED_SHARE):
            base = self._save(tables, base, next_number)
        with self._changing:
            # Other settings, or a Clear, have made tables of their own meanwhile.
            if tables is self._tables and not self._closed:
                tables.end_building(base)
                self._show()
        self._build_from = self._clock() + _REST * (self._clock() - began)


def _missing(store: Store, numbers: NDArray[np.uint64], end: int) -> NDArray[np.int64]:
    """The rows of records that are no longer there; `numbers` are all rows', below `end`.

    Counts tell where any are missing, so few missing ones are found fast among many.
    """
    if store.count(0, end) == len(numbers):
        return np.zeros(0, np.int64)
    order = np.argsort(numbers)
    ascending = numbers[order]
    found: list[int] = []
    ranges = [(0, end)]
    while ranges:
        low, high = ranges.pop()
        first, last = np.searchsorted(ascending, np.array([low, high], np.uint64)).tolist()
        if first == last or store.count(low, high) == last - first:
            continue
        if high - low > _AT_ONCE:
            middle = (low + high) // 2
            ranges += ((low, middle), (middle, high))
            continue
        there = np.array(sorted(store.numbers(low, high)), np.uint64)
        found += order[first:last][~np.isin(ascending[first:last], there)].tolist()
    return np.array(sorted(found), np.int64)

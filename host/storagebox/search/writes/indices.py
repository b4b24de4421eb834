"""The folders of an application's indices: opened, changed, committed, built, replaced."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from storagebox.search.engine.changes import Change, Put
from storagebox.search.engine.index import Index
from storagebox.search.writes import durable
from storagebox.search.writes.pending import Pending
from storagebox.search.writes.refused import Refused

FOLDER: Final = "indices"
SET_ASIDE: Final = "damaged"
# Who searches an index that was replaced is done by then.
_GRACE_S: Final = 60.0


class Report(Protocol):
    """Told of what happens: a dotted name, and JSON values."""

    def __call__(self, event: str, /, **fields: Any) -> None:
        """Note it."""
        ...


class IndexDamaged(Exception):
    """An index can't be read or written: it has to be rebuilt."""

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(f"search: index folder {folder} is damaged: {reason}")
        self.folder = folder
        self.reason = reason


class Exhausted(Exception):
    """The disk is full, say: nothing is lost, and nothing goes on until there is room."""


class Indices:
    """Indices by the name of their folder below `root`. Used by the applying thread alone."""

    def __init__(self, root: Path, report: Report) -> None:
        self.root = root / FOLDER
        self.damaged: dict[str, str] = {}  # folder → why
        self._aside = root / SET_ASIDE
        self._report = report
        self._open: dict[str, Index] = {}
        self._pending: dict[str, Pending] = {}
        self._retired: list[tuple[float, Index, Path]] = []

    def open(self, wanted: Iterable[str], tidy: bool) -> None:
        """Open these; damaged ones are in `damaged`. `tidy` deletes all others.

        Raises Exhausted or OSError.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        wanted = set(wanted)
        for left in self.root.iterdir():
            if tidy and left.name not in wanted:
                _remove(left)  # of an operation that was cut off
        for folder in wanted:
            self.open_one(folder)

    def open_one(self, folder: str) -> None:
        """Open an index; if it is damaged, it is in `damaged`. Raises Exhausted."""
        path = self.root / folder
        try:
            if not path.is_dir():
                raise FileNotFoundError(f"{path} is missing")
            self._open[folder] = self._opened(path)
            self.damaged.pop(folder, None)
        except Exception as fault:  # whatever a library makes of garbage
            if path.is_dir() and durable.is_exhausted(self.root, fault):
                raise Exhausted(f"{path}: {fault}") from fault
            self.mark_damaged(folder, _told(fault))

    def mark_damaged(self, folder: str, reason: str) -> None:
        """Have nothing more to do with an index until it is rebuilt."""
        self._pending.pop(folder, None)
        if folder in self.damaged and folder not in self._open:
            return
        self.damaged[folder] = reason
        if (index := self._open.pop(folder, None)) is not None:
            self._close(index)
        self._report("index.damaged", folder=folder, reason=reason)

    def get(self, folder: str) -> Index | None:
        """An index, unless it is damaged."""
        return self._open.get(folder)

    def __getitem__(self, folder: str) -> Index:
        """An index. Raises IndexDamaged."""
        if folder not in self._open:
            raise IndexDamaged(folder, self.damaged.get(folder, "it is not open"))
        return self._open[folder]

    def all(self) -> dict[str, Index]:
        """Those that are whole."""
        return dict(self._open)

    def pending(self, folder: str) -> Pending:
        """What an index waits for. Raises IndexDamaged."""
        if folder not in self._pending:
            self._pending[folder] = Pending(self[folder])
        return self._pending[folder]

    def forget_pending(self) -> None:
        """Drop all that isn't committed: it will be applied again."""
        self._pending.clear()

    def flush(self, last: Callable[[str], bool]) -> None:
        """Commit all that waits; those of which `last` is true after the others.

        An index that fails is in `damaged`. Raises Exhausted, upon which it may be tried again.
        """
        for folder in sorted(self._pending, key=last):
            try:
                self._commit(folder, self._pending[folder])
            except IndexDamaged as fault:
                self.mark_damaged(folder, fault.reason)
            self._pending.pop(folder, None)

    def apply(self, folder: str, changes: Iterable[Change], position: int) -> None:
        """Change an index at once, unless it is past `position`.

        Raises IndexDamaged or Exhausted.
        """
        index = self[folder]
        if index.applied > position:
            return
        try:
            self._apply(index, changes, position)
        except (Exhausted, IndexDamaged):
            raise
        except Exception as fault:
            raise IndexDamaged(folder, _told(fault)) from fault

    def build(self, folder: str, position: int, changes: Iterable[Change]) -> None:
        """An index in a new folder that holds just `changes`, committed at `position`.

        Raises Refused if it can't be built, or Exhausted.
        """
        path = self.root / folder
        try:
            self._open[folder] = self._built(path, position, changes)
            durable.sync_folder(self.root)
        except Exhausted:
            raise
        except Exception as fault:
            _remove(path)
            if durable.is_exhausted(self.root, fault):
                raise Exhausted(f"{path}: {fault}") from fault
            raise Refused(f"the index could not be built: {_told(fault)}", 500) from fault

    def _built(self, path: Path, position: int, changes: Iterable[Change]) -> Index:
        if path.is_dir():
            # Of a time before that was cut off; one commit made it whole, or it is empty.
            try:
                index = self._opened(path)
                if index.applied >= position:
                    return index
                index.close()
            except Exception as fault:
                self._report("index.begun_anew", folder=path.name, reason=_told(fault))
            _remove(path)
        path.mkdir(parents=True)
        index = self._opened(path)
        if position:
            try:
                self._apply(index, changes, position)
            except BaseException:
                index.close()
                raise
        return index

    def keep_only(self, wanted: Iterable[str]) -> None:
        """Delete all others, once nobody can be searching them any more: see `release`."""
        wanted = set(wanted)
        for folder in self._open.keys() - wanted:
            retired = (time.monotonic(), self._open.pop(folder), self.root / folder)
            self._retired.append(retired)
            self._pending.pop(folder, None)
        for folder in self.damaged.keys() - wanted:
            del self.damaged[folder]
            _remove(self.root / folder)

    def set_aside(self, folder: str) -> Path | None:
        """Move a damaged index out of the way; returns where it is kept."""
        path = self.root / folder
        if not path.exists():
            return None
        self._aside.mkdir(exist_ok=True)
        number = 1
        while (kept := self._aside / f"{folder}.{number}").exists():
            number += 1
        path.rename(kept)
        return kept

    def release(self, grace_s: float = _GRACE_S) -> None:
        """Delete indices that were replaced so long ago that no search uses them any more."""
        while self._retired and time.monotonic() - self._retired[0][0] >= grace_s:
            _, index, path = self._retired.pop(0)
            self._close(index)
            _remove(path)

    def close(self) -> None:
        """Let go of all; what isn't committed is dropped."""
        self._pending.clear()
        self.release(0)
        for index in self._open.values():
            self._close(index)
        self._open.clear()

    def _opened(self, path: Path) -> Index:
        with _contained():
            return Index.open(path, lambda reason: self._report("index.slower", reason=reason))

    def _close(self, index: Index) -> None:
        try:
            with _contained():
                index.close()
        except Exception as fault:  # a damaged one may not even be closed
            self._report("index.not_closed", reason=_told(fault))

    def _commit(self, folder: str, pending: Pending) -> None:
        """All that waits in one commit; if that fails, entry by entry, but for what fails."""
        index = pending.index
        groups = [group for group in pending.groups if group[0] > index.applied]
        if not groups:
            return
        try:
            self._apply(index, chain.from_iterable(c for _, c in groups), groups[-1][0])
            return
        except Exhausted:
            raise
        except Exception as fault:
            self._report("commit.failed", folder=folder, reason=_told(fault))
        for position, changes in groups:
            try:
                self._apply(index, changes, position)
            except Exhausted:
                raise
            except Exception as fault:
                try:
                    self._apply(index, (), position)
                except Exhausted:
                    raise
                except Exception as second:  # it isn't what was to be applied
                    raise IndexDamaged(folder, _told(second)) from second
                self._report("task.failed", task=position, folder=folder, reason=_told(fault))

    def _apply(self, index: Index, changes: Iterable[Change], position: int) -> None:
        try:
            with _contained():
                index.apply(changes, position)
        except Exception as fault:
            if durable.is_exhausted(self.root, fault):
                raise Exhausted(f"{self.root}: {fault}") from fault
            raise


@contextmanager
def _contained() -> Generator[None]:
    """A library that panics has failed, and that is all: it takes nobody else along."""
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as panic:  # pyo3's PanicException is no Exception
        raise RuntimeError(f"{type(panic).__name__}: {panic}") from panic


def records(index: Index) -> Iterator[Change]:
    """All that an index holds, as what puts it into another."""
    for body in index.records():
        record = orjson.loads(body)
        yield Put(record["objectID"], record)


def _told(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {fault}"


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)

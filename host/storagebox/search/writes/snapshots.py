"""Copies of all indices as of one position of the log, so that an index can be made anew.

A snapshot is what the log need no longer hold: the catalog, and for each index a file of JSON
lines, compressed. It depends on no library's index format, and it is written aside while searches
and writes go on. An index that hasn't changed since the last one keeps its file.
"""

from __future__ import annotations

import gzip
import os
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import orjson

from storagebox.search.engine.changes import Change, Meta, Put
from storagebox.search.engine.index import Index
from storagebox.search.writes import catalog, durable
from storagebox.search.writes.catalog import Catalog
from storagebox.search.writes.indices import Report
from storagebox.search.writes.operations import SCOPES

FOLDER: Final = "snapshots"
_MANIFEST: Final = "manifest"
_LEVEL: Final = 1


class Unusable(Exception):
    """A snapshot can't be read, or there is none."""


@dataclass(frozen=True, slots=True)
class Dump:
    """One index's file, and what of the log is in it."""

    file: str
    applied: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole snapshot: the state after the entry at `position`. `dumps` by index folder."""

    position: int
    catalog: str  # as Catalog.to_bytes has it
    dumps: Mapping[str, Dump]

    @property
    def size_bytes(self) -> int:
        """What all files take on disk."""
        return sum(dump.size_bytes for dump in self.dumps.values())

    def read_catalog(self, key_limit: int) -> Catalog:
        """The catalog of that time. Raises ValueError."""
        return catalog.from_bytes(self.catalog.encode(), key_limit)


@dataclass(frozen=True, slots=True)
class _Source:
    """An index at the moment of a snapshot."""

    folder: str
    applied: int
    metas: Mapping[str, object]
    records: Iterator[bytes]


class Snapshots:
    """The snapshots of one application, of which the last is kept."""

    def __init__(self, root: Path, report: Report) -> None:
        self._root = root / FOLDER
        self._report = report
        self._writing: threading.Thread | None = None
        self._stop = threading.Event()
        self.manifest: Manifest | None = None

    def open(self) -> None:
        """Read what there is; a damaged one is reported, and none."""
        self._root.mkdir(parents=True, exist_ok=True)
        try:
            stored = orjson.loads(durable.read(self._root / _MANIFEST))
            dumps = {folder: Dump(**dump) for folder, dump in stored["dumps"].items()}
            self.manifest = Manifest(stored["position"], stored["catalog"], dumps)
        except FileNotFoundError:
            return
        except (durable.DamagedFileError, ValueError, KeyError, TypeError) as fault:
            self._report("snapshot.damaged", reason=str(fault))

    @property
    def busy(self) -> bool:
        """Whether one is being written."""
        return self._writing is not None and self._writing.is_alive()

    def begin(self, state_catalog: Catalog, indices: Mapping[str, Index]) -> None:
        """Write one of the state as it is now, all of it committed; `busy` until it is done."""
        before = self.manifest.dumps if self.manifest is not None else {}
        position = state_catalog.applied
        stored = state_catalog.to_bytes().decode()
        kept: dict[str, Dump] = {}
        sources: list[_Source] = []
        for folder, index in indices.items():
            held = before.get(folder)
            if held is not None and held.applied == index.applied:
                kept[folder] = held
                continue
            metas = {scope: index.meta(scope) for scope in SCOPES}
            sources.append(_Source(folder, index.applied, metas, index.records()))
        self._writing = threading.Thread(
            target=self._write, args=(position, stored, kept, sources), name="search-snapshot"
        )
        self._writing.start()

    def wait(self) -> None:
        """Wait until none is being written."""
        if self._writing is not None:
            self._writing.join()

    def close(self) -> None:
        """Give up what is being written."""
        self._stop.set()
        self.wait()

    def restore(self, folder: str, index_path: Path) -> None:
        """Make the index of `folder` anew at `index_path`, as it was. Raises Unusable."""
        dump = self.manifest.dumps.get(folder) if self.manifest is not None else None
        if dump is None:
            raise Unusable(f"no snapshot has an index in {folder}")
        index_path.mkdir(parents=True)
        index = Index.open(index_path)
        try:
            index.apply(_read(self._root / dump.file), dump.applied)
        finally:
            index.close()

    def _write(
        self, position: int, stored: str, dumps: dict[str, Dump], sources: Iterable[_Source]
    ) -> None:
        try:
            if not self._dump_all(dumps, sources):
                return
            manifest = Manifest(position, stored, dumps)
            durable.write(self._root / _MANIFEST, orjson.dumps(asdict(manifest)))
            self.manifest = manifest
            wanted = {_MANIFEST, *(dump.file for dump in dumps.values())}
            for path in self._root.iterdir():
                if path.name not in wanted:
                    path.unlink()
        except Exception as fault:  # the log keeps what it would have held
            told = f"{type(fault).__name__}: {fault}"
            self._report(
                "snapshot.failed",
                reason=f"{self._root}: no snapshot can be written ({told}), so the log keeps"
                " growing: free some room, and the next snapshot lets it be cut",
            )

    def _dump_all(self, dumps: dict[str, Dump], sources: Iterable[_Source]) -> bool:
        """Write the files of `sources`, and note them in `dumps`; False if it was given up.

        If one can't be written, none is left behind: the disk may be full.
        """
        begun: list[Path] = []
        try:
            for source in sources:
                path = self._root / f"{source.folder}@{source.applied}.ndjson.gz"
                begun.append(path)
                if not self._dump(path, source):
                    return False
                dumps[source.folder] = Dump(path.name, source.applied, path.stat().st_size)
        except BaseException:
            for path in begun:
                path.unlink(missing_ok=True)
            raise
        return True

    def _dump(self, path: Path, source: _Source) -> bool:
        """Write one index's file; False if it was given up."""
        count = 0
        with path.open("wb") as raw:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0) as file:
                file.write(orjson.dumps(source.metas) + b"\n")
                for record in source.records:
                    file.write(record + b"\n")
                    count += 1
                    if self._stop.is_set():
                        return False
                file.write(b"%d\n" % count)
            raw.flush()
            os.fsync(raw.fileno())
        durable.sync_folder(path.parent)
        return True


def _read(path: Path) -> Iterator[Change]:
    """A dump's content; raises Unusable before its end if it isn't whole."""
    try:
        with gzip.open(path) as file:
            metas = cast("dict[str, Any]", orjson.loads(file.readline()))
            yield from (Meta(name, value) for name, value in metas.items() if value is not None)
            count, line = 0, file.readline()
            while line.startswith(b"{"):
                record = orjson.loads(line)
                yield Put(record["objectID"], record)
                count, line = count + 1, file.readline()
            if line != b"%d\n" % count:
                raise Unusable(f"{path}: it ends after {count} records")
    except (OSError, EOFError, ValueError, KeyError, zlib.error) as fault:
        raise Unusable(f"{path}: {fault}") from fault

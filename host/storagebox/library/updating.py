"""One pass over the music folder: only what has changed is read.

Files are known by path, time of last change and size. What can't be looked at now (a folder that
may not be read, a disk that isn't mounted) is not taken for deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from storagebox.library.folders import Identity, contents
from storagebox.library.pace import Pace
from storagebox.library.records import path_of, track, track_id
from storagebox.library.shelf import Shelf, Stamp
from storagebox.library.tags import Tags, read_tags

# Tracks of one write: some seconds' work on a slow disk, seen while the rest is still being read.
BATCH: Final = 400
# Files that bear no tags are told from others by these.
_AUDIO: Final = frozenset(
    """
    mp3 mp2 flac ogg oga opus spx m4a m4b m4r mp4 aac wav bwf aif aiff aifc wma asf ape wv mpc tta
    ofr mka weba webm caf au snd dsf dff ac3 eac3 dts w64 amr
    """.split()  # noqa: SIM905
)


class NoMusic(Exception):
    """The music folder isn't there, or not for us; the message says so and what to do."""


class Stopped(Exception):
    """The pass was broken off; what it had found so far is kept."""


@dataclass
class Outcome:
    """What a pass has found, in files."""

    files: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    unreadable: list[str] = field(default_factory=list[str])  # folders, as relative paths


class Updating:
    """Keeps a shelf like a folder. `stopped` is asked between two files."""

    def __init__(
        self, shelf: Shelf, music: Path, pace: Pace, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._shelf = shelf
        self._music = music
        self._pace = pace
        self._stopped = stopped
        self._known: dict[str, Stamp] | None = None
        self._no_music: dict[str, Stamp] = {}  # what was tried, and is none
        self._folders: dict[str, int] = {}  # all of the last pass; when each had changed, in ns

    def update(self) -> Outcome:
        """One pass. Raises NoMusic, Stopped, or Refused where the shelf takes nothing now."""
        if self._known is None:
            self._known = self._shelf.stamps()
        known, outcome = self._known, Outcome()
        left = set(known)
        batch: dict[str, tuple[str, Stamp]] = {}
        for path, stamp in self._files(outcome):
            object_id = track_id(path)
            left.discard(object_id)
            if known.get(object_id) == stamp or self._no_music.get(object_id) == stamp:
                continue
            batch[object_id] = path, stamp
            if len(batch) >= BATCH:
                self._put(batch, outcome)
                batch = {}
        self._put(batch, outcome)
        self._take_off(left, outcome)
        outcome.files = len(known)
        return outcome

    def stirred(self) -> bool:
        """Whether files have come, gone or been renamed since the last pass; cheap to ask."""
        for folder, changed_ns in self._folders.items():
            self._go_on()
            try:
                if (self._music / folder).stat().st_mtime_ns != changed_ns:
                    return True
            except OSError:
                return True
        return False

    def _files(self, outcome: Outcome) -> Iterator[tuple[str, Stamp]]:
        """Every candidate, with slashes in its path; the order keeps albums together."""
        self._check_there()
        seen: set[Identity] = set()
        self._folders = {}
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                found = contents(self._music / folder, seen)
            except OSError as fault:
                if not folder:
                    raise NoMusic(_fault(self._music, fault)) from None
                if not isinstance(fault, FileNotFoundError):  # else it is gone since
                    outcome.unreadable.append(folder)
                continue
            if found is None:
                continue
            self._go_on()
            self._folders[folder] = found.changed_ns
            prefix = f"{folder}/" if folder else ""
            for entry in sorted(found.files, key=lambda entry: entry.name):
                try:
                    status = entry.stat()
                except OSError:
                    continue  # gone since
                yield prefix + entry.name, (status.st_mtime_ns // 1_000_000, status.st_size)
            names = sorted((entry.name for entry in found.folders), reverse=True)
            folders += [prefix + name for name in names]

    def _check_there(self) -> None:
        try:
            with os.scandir(self._music) as entries:
                empty = next(entries, None) is None
        except OSError as fault:
            raise NoMusic(_fault(self._music, fault)) from None
        if empty and self._known:
            raise NoMusic(f"{self._music}: it is empty: is its disk mounted?")

    def _put(self, batch: dict[str, tuple[str, Stamp]], outcome: Outcome) -> None:
        assert self._known is not None
        records = []
        for object_id, (path, stamp) in batch.items():
            self._go_on()
            tags = read_tags(self._music / path)
            suffix = Path(path).suffix[1:].lower()
            if tags == Tags() and suffix not in _AUDIO:
                self._no_music[object_id] = stamp
                continue
            records.append(track(path, tags, *stamp))
        if not records:
            return
        self._shelf.change(records, ())
        for record in records:
            object_id = record["objectID"]
            if object_id in self._known:
                outcome.changed += 1
            else:
                outcome.new += 1
            self._known[object_id] = batch[object_id][1]

    def _take_off(self, left: set[str], outcome: Outcome) -> None:
        assert self._known is not None
        gone = sorted(one for one in left if not self._may_be_there(one, outcome))
        for first in range(0, len(gone), BATCH):
            self._go_on()
            some = gone[first : first + BATCH]
            self._shelf.change((), some)
            for object_id in some:
                del self._known[object_id]
            outcome.gone += len(some)

    def _may_be_there(self, object_id: str, outcome: Outcome) -> bool:
        if not outcome.unreadable:
            return False
        record = self._shelf.get(object_id)
        path = path_of(record["uri"]) if record is not None else ""
        return any(path.startswith(f"{folder}/") for folder in outcome.unreadable)

    def _go_on(self) -> None:
        if self._stopped():
            raise Stopped
        self._pace.rest()


def _fault(music: Path, fault: OSError) -> str:
    reason = (fault.strerror or str(fault)).lower()
    return f"{music}: {reason}: the library waits until it can be read"

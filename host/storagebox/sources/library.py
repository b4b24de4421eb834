"""The library source: plays files and folders, gaplessly.

`SourceProcess` starts it: python -m storagebox.sources.library --ring FD
"""

from __future__ import annotations

import os
import wave
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from phantom.wire import RATE
from storagebox.library.tags import Tags, read_tags

from . import scan
from .canonical import Resampling, Rounding, Sound
from .decode import AudioFile, UndecodableError
from .events import Skipped, Track, Truncated
from .serving import run
from .source import Rendered, Source

# A file that is shorter than it promises by less than this isn't truncated: those who read lossy
# formats count padding differently.
_LOSSY_TOLERANCE_S = 0.1
_LOSSLESS_TOLERANCE_S = 0.001

_OGG_TAIL_BYTES = 1 << 17  # an Ogg page has at most 65307 bytes, so a whole one is in there
_OGG_LAST_PAGE = 4  # flag in byte 5 of a page's header, RFC 3533 section 6


class LibrarySource(Source):
    """Plays audio files of any kind that FFmpeg decodes, one after another without a gap."""

    def __init__(self) -> None:
        self._rounding = Rounding()

    def warm_up(self) -> None:
        """Plays a tenth of a second of WAV, so that all that is loaded on first use is loaded."""
        file = os.memfd_create("warm-up")
        try:
            with os.fdopen(file, "wb", closefd=False) as out, wave.open(out) as recording:
                recording.setnchannels(1)
                recording.setsampwidth(3)
                recording.setframerate(44100)
                recording.writeframes(bytes(4410 * 3))
            deque(self.render([f"/proc/self/fd/{file}"]), maxlen=0)
        finally:
            os.close(file)

    def expand(self, requested: Sequence[str]) -> Iterable[str | Skipped]:
        """Folders become their files; see `scan`."""
        return scan.expand(requested)

    def render(self, items: Iterable[str]) -> Iterator[Rendered]:
        """Decodes, joins and rounds."""
        timeline = _Timeline(self._rounding)
        for item in items:
            path = Path(item)
            try:
                with AudioFile(path) as file:
                    yield from _render_file(file, timeline)
            except UndecodableError as reason:
                timeline.announce(Skipped(item, str(reason)))
                yield from timeline.put(())
        yield from timeline.finish()


def _render_file(file: AudioFile, timeline: _Timeline) -> Iterator[Rendered]:
    tags = read_tags(file.path)
    promised_s = tags.duration_s or file.duration_s
    played_s = 0.0
    try:
        for sound, rate in file.blocks():
            if not played_s:
                timeline.announce(_track(file, tags, promised_s))
            played_s += len(sound) / rate
            yield from timeline.put(timeline.resampling.push(sound, rate))
    except UndecodableError as reason:
        if not played_s:
            raise
        timeline.announce(Truncated(str(file.path), str(reason)))
        return
    if not played_s:
        raise UndecodableError("nothing in it could be decoded")
    fault = _fault(file, tags, played_s)
    if fault:
        timeline.announce(Truncated(str(file.path), fault))


def _track(file: AudioFile, tags: Tags, promised_s: float | None) -> Track:
    metadata = file.metadata  # knows some that mutagen doesn't, such as RIFF INFO
    return Track(
        path=str(file.path),
        title=tags.title or metadata.get("title", "")[:500] or file.path.stem,
        artist=tags.artist or metadata.get("artist", "")[:500],
        album=tags.album or metadata.get("album", "")[:500],
        frames=None if promised_s is None else round(promised_s * RATE),
    )


def _fault(file: AudioFile, tags: Tags, played_s: float) -> str:
    """What is wrong with a file that has been played to its end, "" if nothing is."""
    promised_s = tags.duration_s
    if promised_s is None and file.path.suffix.lower() != ".mp3":
        promised_s = file.duration_s  # of an MP3 without a header it's a guess
    tolerance_s = _LOSSLESS_TOLERANCE_S if file.lossless else _LOSSY_TOLERANCE_S
    if promised_s is not None and played_s < promised_s - tolerance_s:
        kind = "is damaged" if file.damaged > 1 else "breaks off"
        return f"{kind}: {_clock(played_s)} of {_clock(promised_s)} could be played"
    if file.damaged > 1:
        return f"is damaged in {file.damaged} places"
    if _ogg_breaks_off(file.path):
        return f"breaks off after {_clock(played_s)}"
    return ""


def _clock(seconds: float) -> str:
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


def _ogg_breaks_off(path: Path) -> bool:
    """True if the file is Ogg and its last page isn't marked as the last."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"OggS":
                return False
            file.seek(-min(_OGG_TAIL_BYTES, path.stat().st_size), 2)
            tail = file.read()
    except OSError:
        return True
    page = tail.rfind(b"OggS\0")
    flags = tail[page + 5 : page + 6]
    return not flags or not flags[0] & _OGG_LAST_PAGE


class _Timeline:
    """Puts the resampler's output, which comes late, and what is to be said about it in order."""

    def __init__(self, rounding: Rounding) -> None:
        self.resampling = Resampling()
        self._rounding = rounding
        self._frame = 0  # of the output
        self._track_frame = 0  # of the output, within the track
        self._announcements: deque[tuple[int, Track | Skipped | Truncated]] = deque()

    def announce(self, event: Track | Skipped | Truncated) -> None:
        """Says something at the frame that the input has come to."""
        self._announcements.append((self.resampling.due, event))

    def put(self, output: Iterable[Sound]) -> Iterator[Rendered]:
        """Yields output, rounded, and what was announced for before, within and just after it."""
        for sound in output:
            while len(sound):
                yield from self._say()
                count = len(sound)
                if self._announcements:
                    count = min(count, self._announcements[0][0] - self._frame)
                yield self._rounding.round(sound[:count], self._track_frame)
                self._frame += count
                self._track_frame += count
                sound = sound[count:]
        yield from self._say()

    def finish(self) -> Iterator[Rendered]:
        """Yields all that is left."""
        yield from self.put(self.resampling.finish())

    def _say(self) -> Iterator[Rendered]:
        while self._announcements and self._announcements[0][0] <= self._frame:
            event = self._announcements.popleft()[1]
            if isinstance(event, Track):
                self._track_frame = 0
            yield event


if __name__ == "__main__":
    run(LibrarySource)

"""The capture file: which frame left an emulated DAC at which instant, the truth of the house.

One file a boot, little-endian, made of records with an 8-byte header `<IHH`:

    index u32 (descriptor since the segment's start), flags u16, size u16 = payload bytes

    SEGMENT  payload `<8sIIqdq`: magic "PHCAP001", rate, frames a descriptor, t0_ns, rate_actual,
             ticks_start. A new I2S object starts a new segment
    EMPTY    no write had filled the descriptor before it played: the DMA's own silence
    SILENT   written, but every sample zero
    RUN      payload u32 count: so many consecutive descriptors, all EMPTY or all SILENT
    (none)   payload 1024 bytes: 256 frames of interleaved stereo s16

Frame j of descriptor k left the DAC at `t0_ns + (k * 256 + j) * 1e9 / rate_actual`, in nanoseconds
of the machine's CLOCK_MONOTONIC. The file grows while the board plays and may end in half a
record.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

SEGMENT = 1
EMPTY = 2
SILENT = 4
RUN = 8

MAGIC = b"PHCAP001"
BLOCK_FRAMES = 256
BLOCK_BYTES = BLOCK_FRAMES * 4

_RECORD = struct.Struct("<IHH")
_SEGMENT = struct.Struct("<8sIIqdq")
_COUNT = struct.Struct("<I")

Frames = npt.NDArray[np.int16]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class CaptureError(ValueError):
    """A capture file breaks the layout: the message names the file, the byte and the fault."""


@dataclass(frozen=True)
class Segment:
    """One life of an I2S object: the straight line from frames to the machine's time."""

    rate: int  # nominal frames a second
    block_frames: int
    t0_ns: int  # CLOCK_MONOTONIC at which frame 0 of descriptor 0 left the DAC
    rate_actual: float  # frames a machine second, the crystal's error included
    ticks_start: int  # the board's own ticks_us at the start

    @property
    def ppm(self) -> float:
        """The crystal's error in parts per million; positive runs fast."""
        return (self.rate_actual / self.rate - 1.0) * 1e6

    def time_ns(self, frame: float) -> float:
        """When frame `frame` of the segment (descriptor * 256 + j) left the DAC."""
        return self.t0_ns + frame * 1e9 / self.rate_actual

    def times_ns(self, frames: Ints | Floats) -> Floats:
        """`time_ns` of an array of frames, float64 (0.1 ns fine for weeks of uptime)."""
        return self.t0_ns + frames.astype(np.float64) * (1e9 / self.rate_actual)


@dataclass(frozen=True)
class Record:
    """Consecutive descriptors of one kind, as they lie in the file.

    `segment` counts from 0 within the file. `flags` is 0 for sound (then `count` is 1 and `offset`
    the file position of its 1024 bytes), EMPTY or SILENT for silence.
    """

    segment: int
    index: int
    flags: int
    count: int
    offset: int


class CaptureReader:
    """Reads a capture that may still be growing; every `poll` returns what is complete and new."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.segments: list[Segment] = []
        self._parsed = 0  # file position of the first byte not yet parsed

    def poll(self, limit_bytes: int = 1 << 28) -> list[Record]:
        """Complete records since the last call; an absent or short file gives none."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._parsed)
                data = file.read(limit_bytes)
        except FileNotFoundError:
            return []
        records: list[Record] = []
        at = 0
        while at + _RECORD.size <= len(data):
            index, flags, size = _RECORD.unpack_from(data, at)
            payload = at + _RECORD.size
            if payload + size > len(data):
                break
            if flags & SEGMENT:
                self.segments.append(self._segment(data, payload, size))
            else:
                count = self._count(data, payload, flags, size)
                where = self._parsed + payload
                records.append(
                    Record(len(self.segments) - 1, index, flags & (EMPTY | SILENT), count, where)
                )
            at = payload + size
        self._parsed += at
        return records

    def pcm(self, record: Record) -> Frames:
        """The (256, 2) frames of one record of sound."""
        with self.path.open("rb") as file:
            file.seek(record.offset)
            data = file.read(BLOCK_BYTES)
        return np.frombuffer(data, "<i2").reshape(BLOCK_FRAMES, 2)

    def _segment(self, data: bytes, at: int, size: int) -> Segment:
        if size != _SEGMENT.size:
            raise self._error(at, f"a segment header of {size} bytes, not {_SEGMENT.size}")
        magic, rate, frames, t0_ns, rate_actual, ticks = _SEGMENT.unpack_from(data, at)
        if magic != MAGIC:
            raise self._error(at, f"magic {magic!r}, not {MAGIC!r}")
        if frames != BLOCK_FRAMES:
            raise self._error(at, f"descriptors of {frames} frames, not {BLOCK_FRAMES}")
        return Segment(rate, frames, t0_ns, rate_actual, ticks)

    def _count(self, data: bytes, at: int, flags: int, size: int) -> int:
        if not self.segments:
            raise self._error(at, "descriptors before any segment header")
        if flags & RUN:
            if size != _COUNT.size or not flags & (EMPTY | SILENT):
                raise self._error(at, f"a malformed run (flags {flags}, {size} bytes)")
            return _COUNT.unpack_from(data, at)[0]
        wanted = 0 if flags & (EMPTY | SILENT) else BLOCK_BYTES
        if size != wanted:
            raise self._error(at, f"a descriptor of {size} bytes, not {wanted} (flags {flags})")
        return 1

    def _error(self, at: int, fault: str) -> CaptureError:
        return CaptureError(
            f"{self.path}: byte {self._parsed + at}: {fault}; the file is not a capture of this "
            "version, or something else wrote into it"
        )


@dataclass(frozen=True)
class SegmentCapture:
    """Everything one segment recorded, as arrays.

    `sound` int64 (n,): descriptors with PCM, ascending; `offsets` int64 (n,): where their bytes
    lie in the file; `runs` int64 (m, 3): (first descriptor, count, flags) of the silence between
    them.
    """

    segment: Segment
    sound: Ints
    offsets: Ints
    runs: Ints
    data: npt.NDArray[np.uint8] = field(repr=False)

    def pcm(self, first: int = 0, stop: int | None = None) -> Frames:
        """Sounding blocks at positions `first` to `stop` of `sound`, (n, 256, 2)."""
        offsets = self.offsets[first:stop]
        if len(offsets) == 0:
            return np.zeros((0, BLOCK_FRAMES, 2), np.int16)
        windows = np.lib.stride_tricks.sliding_window_view(self.data, BLOCK_BYTES)
        return np.asarray(windows[offsets]).view("<i2").reshape(len(offsets), BLOCK_FRAMES, 2)

    def batches(self, size: int = 2048) -> Iterator[tuple[int, Frames]]:
        """(position in `sound`, frames (n, 256, 2)) over all the sound, at most `size` at once."""
        for first in range(0, len(self.sound), size):
            yield first, self.pcm(first, first + size)

    @property
    def ends(self) -> int:
        """The descriptor after the last recorded one."""
        last = int(self.sound[-1]) + 1 if len(self.sound) else 0
        return max(last, int((self.runs[:, 0] + self.runs[:, 1]).max()) if len(self.runs) else 0)


def load(path: str | Path) -> list[SegmentCapture]:
    """Every segment of a finished (or growing) capture. The file is mapped, not read.

    Raises:
        FileNotFoundError: there is no such file.
        CaptureError: the file breaks the layout.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no capture at {path}: did the board start?")
    reader = CaptureReader(path)
    records: list[Record] = []
    while more := reader.poll():
        records.extend(more)
    if not reader.segments:
        return []
    data = np.memmap(path, np.uint8, "r")
    return [
        _gather(segment, [record for record in records if record.segment == number], data)
        for number, segment in enumerate(reader.segments)
    ]


def _gather(
    segment: Segment, records: Sequence[Record], data: npt.NDArray[np.uint8]
) -> SegmentCapture:
    sound = [record for record in records if not record.flags]
    silence = [(record.index, record.count, record.flags) for record in records if record.flags]
    return SegmentCapture(
        segment,
        np.array([record.index for record in sound], np.int64),
        np.array([record.offset for record in sound], np.int64),
        np.array(silence, np.int64).reshape(-1, 3),
        data,
    )


def pack_segment(segment: Segment) -> bytes:
    """A SEGMENT record; for writers and for tests."""
    payload = _SEGMENT.pack(
        MAGIC,
        segment.rate,
        segment.block_frames,
        segment.t0_ns,
        segment.rate_actual,
        segment.ticks_start,
    )
    return _RECORD.pack(0, SEGMENT, len(payload)) + payload


def pack_block(index: int, frames: Frames) -> bytes:
    """A descriptor's record from (256, 2) frames; SILENT when all of them are zero."""
    if not frames.any():
        return _RECORD.pack(index, SILENT, 0)
    payload = np.ascontiguousarray(frames, "<i2").tobytes()
    if len(payload) != BLOCK_BYTES:
        raise ValueError(f"a descriptor holds {BLOCK_BYTES} bytes, not {len(payload)}")
    return _RECORD.pack(index, 0, len(payload)) + payload


def pack_run(index: int, count: int, flags: int) -> bytes:
    """A RUN record of `count` EMPTY or SILENT descriptors."""
    return _RECORD.pack(index, flags | RUN, _COUNT.size) + _COUNT.pack(count)

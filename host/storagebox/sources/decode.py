"""Audio files of any kind that FFmpeg knows, as stereo sound at their own rate.

What FFmpeg reports of an encoder's delay and padding (LAME's header, Opus's pre-skip, MP4's edit
lists) is cut off by FFmpeg; the end of AAC in MP4, which it leaves on, is cut off here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from numpy.typing import NDArray

from .canonical import FULL_SCALE, Sound

# A sample's zero and the size of a 16-bit step, by FFmpeg's name of the format without the "p" of
# planar ones. 24-bit samples arrive in the upper bits of s32.
_FORMATS = {
    "u8": (128.0, 1 / 256),
    "s16": (0.0, 1.0),
    "s32": (0.0, 65536.0),
    "flt": (0.0, 1 / FULL_SCALE),
    "dbl": (0.0, 1 / FULL_SCALE),
}

# How much of each loudspeaker goes to the left and to the right, before the sums are scaled so
# that nothing can clip. ITU-R BS.775-3, table 2: centre and surrounds at −3 dB; the LFE channel is
# left out. Heights are treated as the loudspeakers below them.
_HALF_POWER = 0.5**0.5
_DOWNMIX = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_HALF_POWER, _HALF_POWER),
    "LFE": (0.0, 0.0),
    "LFE2": (0.0, 0.0),
    "BL": (_HALF_POWER, 0.0),
    "BR": (0.0, _HALF_POWER),
    "BC": (0.5, 0.5),
    "SL": (_HALF_POWER, 0.0),
    "SR": (0.0, _HALF_POWER),
    "FLC": (1.0, 0.0),
    "FRC": (0.0, 1.0),
    "WL": (1.0, 0.0),
    "WR": (0.0, 1.0),
    "DL": (1.0, 0.0),
    "DR": (0.0, 1.0),
    "TFL": (1.0, 0.0),
    "TFR": (0.0, 1.0),
    "TBL": (_HALF_POWER, 0.0),
    "TBR": (0.0, _HALF_POWER),
}
_DOWNMIX_UNKNOWN = (0.5, 0.5)

# Rates outside of this are damaged headers, and resampling from 1 Hz would fill the memory. The
# highest real one is DSD512's, decoded to 2.8 MHz.
_RATES = range(1000, 3_000_001)

# FFmpeg searches plain 16-bit WAV for hidden DTS. It looks through 5 MB, which takes 20 ms and
# more; a DTS disc shows in the first 64 KB.
_WAV_OPTIONS = {"probesize": "65536"}

# A playlist or a concat script in disguise must not open anything else than local files.
_OPTIONS = {"protocol_whitelist": "file"}


class UndecodableError(Exception):
    """Why a file cannot be played, in words that fit after its name and a colon."""


class AudioFile:
    """An open audio file. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        """Raises UndecodableError, with the reason."""
        self.path = path
        self.damaged = 0
        """Places that could not be decoded so far."""
        self._file, name = _open_file(path)
        try:
            self._container = _open_container(path, name)
            self._stream = _best_stream(self._container)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        container: InputContainer | None = getattr(self, "_container", None)
        if container is not None:
            container.close()
        os.close(self._file)

    @property
    def lossless(self) -> bool:
        """True if the codec is exact, so that the number of frames that it promises is as well."""
        codec = self._stream.codec_context.codec
        return codec.lossless and not codec.lossy

    @property
    def metadata(self) -> dict[str, str]:
        """Tags as FFmpeg sees them, with its names: title, artist, album."""
        return {**self._container.metadata, **self._stream.metadata}

    @property
    def duration_s(self) -> float | None:
        """How long the file says that it is; an estimate where its format doesn't say."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return None

    def blocks(self) -> Iterator[tuple[Sound, int]]:
        """Yields (sound, rate) until the end of the file; what is damaged is left out."""
        left = self._frames_to_play()
        for frame, whole in self._frames():
            rate = frame.sample_rate
            if rate not in _RATES:
                raise UndecodableError(f"damaged: it claims {rate} samples a second")
            sound = _to_stereo(frame)[:whole]
            if left is not None:
                sound = sound[:left]
                left -= len(sound)
            if len(sound):
                yield sound, rate

    def _frames(self) -> Iterator[tuple[AudioFrame, int | None]]:
        """Yields decoded frames, and how much of each to play where its packet says so."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (FFmpegError, OSError):
                self.damaged += 1  # the container is broken off here
                return
            try:
                frames = self._stream.decode(packet)  # pyright: ignore[reportUnknownMemberType]
            except FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                yield frame, self._packet_frames(packet, frame.sample_rate)

    def _packet_frames(self, packet: Packet[AudioStream], rate: int) -> int | None:
        """In MP4, the last packet may be shorter than what its codec makes of it."""
        if not self._is_mp4 or not packet.duration:
            return None
        return round(packet.duration * packet.time_base * rate)

    def _frames_to_play(self) -> int | None:
        """Frames to play where an MP4 knows of padding that FFmpeg leaves on."""
        if not self._is_mp4:
            return None
        # iTunes: "00000000 00000840 000001C0 00000000002CB240 …": delay, padding, length.
        smpb = re.match(r"\s*[0-9A-F]{8}( [0-9A-F]{8}){2} ([0-9A-F]{16})", self._smpb())
        if smpb:
            return int(smpb[2], 16) or None
        # An edit list, often in milliseconds, rounded who knows how: drop nothing for that.
        duration_s = self.duration_s
        return None if duration_s is None else round((duration_s + 0.001) * self._stream.rate)

    @property
    def _is_mp4(self) -> bool:
        return "mp4" in self._container.format.name

    def _smpb(self) -> str:
        return self._container.metadata.get("iTunSMPB", "").upper()


def _open_file(path: Path) -> tuple[int, str]:
    """A file descriptor, opened for its precise errors, and the name for FFmpeg to open."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UndecodableError("it is not there any more") from None
    except OSError as error:
        raise UndecodableError(f"not readable: {(error.strerror or str(error)).lower()}") from None
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise UndecodableError("not a file")
        if status.st_size == 0:
            raise UndecodableError("the file is empty")
    except BaseException:
        os.close(file)
        raise
    # FFmpeg wants UTF-8, which names of files need not be. "file:" keeps colons from meaning more.
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return file, f"file:/proc/self/fd/{file}"
    return file, f"file:{path}"


def _open_container(path: Path, name: str) -> InputContainer:
    options = _OPTIONS | (_WAV_OPTIONS if path.suffix.lower() == ".wav" else {})
    try:
        return av.open(name, "r", options=options, metadata_errors="replace")
    except InvalidDataError:
        raise UndecodableError("not an audio file, or damaged at its very beginning") from None
    except (FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UndecodableError(f"cannot be opened: {reason.lower()}") from None


def _best_stream(container: InputContainer) -> AudioStream:
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream):
        kinds = {each.type for each in container.streams}
        if "video" in kinds:
            raise UndecodableError("no sound in it, only pictures")
        if "audio" in kinds:
            raise UndecodableError("damaged, or in a format that nothing here decodes")
        raise UndecodableError("no sound in it")
    return stream


def _to_stereo(frame: AudioFrame) -> Sound:
    """The frame's samples, in 16-bit steps, mixed to two channels."""
    name = frame.format.name
    kind = name.removesuffix("p")
    if kind not in _FORMATS:
        raise UndecodableError(f"its samples are of a kind that is not supported ({kind})")
    zero, step = _FORMATS[kind]
    samples: NDArray[np.float64] = frame.to_ndarray().astype(np.float64)
    samples = samples.T if frame.format.is_planar else samples.reshape(frame.samples, -1)
    samples = (samples - zero) / step
    if kind in ("flt", "dbl"):
        # A float file may hold anything; one NaN would silence the resampler for good.
        samples = np.nan_to_num(samples, nan=0.0, posinf=FULL_SCALE, neginf=-FULL_SCALE)
        samples = np.clip(samples, -16 * FULL_SCALE, 16 * FULL_SCALE)
    if samples.shape[1] == 2:
        return np.ascontiguousarray(samples)
    if samples.shape[1] == 1:
        return np.repeat(samples, 2, axis=1)
    return samples @ downmix(frame.layout)


def downmix(layout: AudioLayout) -> NDArray[np.float64]:
    """The matrix (channels, 2) that mixes a layout of three or more channels to stereo.

    Each column's sum is at most 1, so the loudest input doesn't clip; both columns are scaled
    alike, so the image stays where it is.
    """
    rows = [_DOWNMIX.get(channel.name, _DOWNMIX_UNKNOWN) for channel in layout.channels]
    matrix = np.array(rows, np.float64)
    return matrix / max(float(matrix.sum(axis=0).max()), 1.0)

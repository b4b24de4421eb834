"""What a device is sent of a stream: which channels, in which codec, encoded once for all of them.

Canonical PCM is shape (frames, 2), int16, 48000 frames a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phantom.wire import CHUNK_FRAMES, RATE, audio, mux
from storagebox.streamer import adpcm

Frames = NDArray[np.int16]

# One chunk is being played, one is on its way into the DMA.
RING_SPARE_CHUNKS = 2


class FormatError(ValueError):
    """A codec or pick that a device can't have; the message says why."""


@dataclass(frozen=True)
class Variant:
    """One form of a stream: `pick` of audio.PICKS, `codec` audio.PCM16 or audio.IMA_ADPCM."""

    pick: str
    codec: int

    @property
    def channels(self) -> int:
        """Channels on the wire, 1 or 2."""
        return audio.channels_of(self.pick)

    @property
    def payload_bytes(self) -> int:
        """What one chunk takes of the AUDIO window: its header and its samples."""
        return audio.chunk_bytes(self.codec, self.channels)

    @property
    def frame_bytes(self) -> int:
        """What one chunk takes on the link."""
        return mux.HEADER_BYTES + self.payload_bytes

    @property
    def codec_name(self) -> str:
        """The codec as RPC names it."""
        return audio.CODEC_NAMES[self.codec]


def mono(pcm: Frames) -> Frames:
    """The mix of both channels, (left + right) >> 1 in 32 bits, shape (frames,)."""
    wide = pcm.astype(np.int32)
    return ((wide[:, 0] + wide[:, 1]) >> 1).astype(np.int16)


def pick_channels(pcm: Frames, pick: str) -> Frames:
    """The part of canonical PCM that a pick names, shape (frames, 1 or 2)."""
    if pick == audio.BOTH:
        return pcm
    if pick == audio.MONO:
        return mono(pcm)[:, None]
    column = 0 if pick == audio.LEFT else 1
    return pcm[:, column : column + 1]


def choose_codec(
    wanted: str | None,
    known: Sequence[str],
    ring_bytes: int,
    channels: int,
    lead_ms: int,
    suited: str | None = None,
) -> int:
    """The codec for a device: PCM16 if its ring holds the lead, otherwise IMA-ADPCM.

    `suited` is the one that its board prefers: IMA-ADPCM is taken for it whatever the ring holds.
    `wanted` overrides all that. Raises FormatError if the device does not know the codec.
    """
    if wanted is not None:
        if wanted not in audio.CODECS:
            raise FormatError(f"codec {wanted!r} is none of {', '.join(audio.CODECS)}")
        if wanted not in known:
            raise FormatError(f"the device does not decode {wanted}; it knows {', '.join(known)}")
        return audio.CODECS[wanted]
    chunks = -(-lead_ms * RATE // (1000 * CHUNK_FRAMES)) + RING_SPARE_CHUNKS
    small = suited == audio.CODEC_NAMES[audio.IMA_ADPCM] and suited in known
    for codec in (audio.IMA_ADPCM,) if small else (audio.PCM16, audio.IMA_ADPCM):
        fits = ring_bytes >= chunks * audio.chunk_bytes(codec, channels)
        if fits and audio.CODEC_NAMES[codec] in known:
            return codec
    # Too small for the lead in any codec: the smallest, and what the window allows.
    for codec in (audio.IMA_ADPCM, audio.PCM16):
        if audio.CODEC_NAMES[codec] in known:
            return codec
    raise FormatError(f"the device decodes none of {', '.join(audio.CODECS)}")


def encode(
    pcm: Frames, stream: int, first_chunk: int, variants: Sequence[Variant]
) -> dict[Variant, list[bytes]]:
    """Whole link frames for chunks of canonical PCM (a multiple of 256 frames), by variant."""
    count = len(pcm) // CHUNK_FRAMES
    out: dict[Variant, list[bytes]] = {}
    compressed = _compress(pcm, {v.pick for v in variants if v.codec == audio.IMA_ADPCM})
    for variant in variants:
        size = audio.payload_bytes(variant.codec, variant.channels)
        if variant.codec == audio.PCM16:
            data = np.ascontiguousarray(pick_channels(pcm, variant.pick)).tobytes()
            payloads = [data[n * size : (n + 1) * size] for n in range(count)]
        else:
            payloads = compressed[variant.pick]
        link = mux.header(mux.AUDIO, variant.payload_bytes)
        out[variant] = [
            link + audio.header(stream, variant.codec, variant.channels, first_chunk + n) + payload
            for n, payload in enumerate(payloads)
        ]
    return out


def _compress(pcm: Frames, picks: set[str]) -> dict[str, list[bytes]]:
    """IMA-ADPCM payloads of the chunks, by pick.

    An encoder steps through 256 frames one by one however many channels it has, so one pass over
    all columns in use makes every pick: channels come one after another in its payloads.
    """
    if not picks:
        return {}
    columns: list[Frames] = []
    first: dict[str, int] = {}
    if audio.BOTH in picks:
        first = {audio.BOTH: 0, audio.LEFT: 0, audio.RIGHT: 1}
        columns.append(pcm)
    for pick in sorted(picks - first.keys()):
        first[pick] = sum(column.shape[1] for column in columns)
        columns.append(pick_channels(pcm, pick))
    packed = adpcm.encode(np.hstack(columns))
    out: dict[str, list[bytes]] = {}
    for pick in picks:
        at = first[pick] * audio.ADPCM_CHANNEL_BYTES
        end = at + audio.channels_of(pick) * audio.ADPCM_CHANNEL_BYTES
        out[pick] = [chunk[at:end] for chunk in packed]
    return out

"""Chunks of a stream, on the link's AUDIO channel.

    0                 2        3        4                                   8
    +-----------------+--------+--------+-----------------------------------+---------
    | stream (u16)    | codec  |channels| chunk number (u32)                | payload
    +-----------------+--------+--------+-----------------------------------+---------

A chunk is 256 frames. Chunk n of a stream starts to sound at `start + n * 256 / 48000` seconds of
house time: play time is arithmetic, so a chunk seen twice is dropped by its number and any sender
that decodes the same session produces the same chunks.

PCM16 payload: 256 frames of signed 16-bit samples, interleaved: 512 bytes a channel.
IMA_ADPCM payload, per channel: predictor s16, step index u8, zero u8, then 128 bytes of 256 4-bit
codes, low nibble first: 132 bytes. Channels follow one another; each chunk is decodable alone.

Codec and channels may change from chunk to chunk. A chunk whose codec is marked REPLACE takes the
place of all that is buffered from its number on; a header alone, so marked, only removes that.
"""

import struct

from . import CHUNK_FRAMES, const

HEADER_BYTES = const(8)
_HEADER = "<HBBI"

PCM16 = const(1)
IMA_ADPCM = const(2)
REPLACE = const(0x80)  # a flag beside the codec
CODEC_NAMES = {PCM16: "pcm16", IMA_ADPCM: "ima-adpcm"}
CODECS = {name: codec for codec, name in CODEC_NAMES.items()}

ADPCM_HEADER_BYTES = const(4)
ADPCM_CHANNEL_BYTES = const(132)

# Which part of the canonical stereo a device is sent.
BOTH = "both"
LEFT = "left"
RIGHT = "right"
MONO = "mono"
PICKS = (BOTH, LEFT, RIGHT, MONO)


def channels_of(pick):
    """How many channels a channel pick puts on the wire."""
    return 2 if pick == BOTH else 1


def chunk_bytes(codec, channels):
    """Bytes of one chunk on the AUDIO channel, header included; 0 if there is no such chunk."""
    if not 1 <= channels <= 2:
        return 0
    if codec == PCM16:
        return HEADER_BYTES + CHUNK_FRAMES * 2 * channels
    if codec == IMA_ADPCM:
        return HEADER_BYTES + ADPCM_CHANNEL_BYTES * channels
    return 0


MAX_CHUNK_BYTES = chunk_bytes(PCM16, 2)


def payload_bytes(codec, channels):
    """Bytes of one chunk's samples, after the 8-byte header."""
    size = chunk_bytes(codec, channels)
    if not size:
        raise ValueError("unknown codec %r in %r channels" % (codec, channels))
    return size - HEADER_BYTES


def header(stream, codec, channels, chunk):
    """The 8 bytes before a chunk's payload."""
    return struct.pack(_HEADER, stream, codec, channels, chunk)


def parse_header(buffer, offset=0):
    """(stream, codec, channels, chunk) at `offset` of a payload."""
    return struct.unpack_from(_HEADER, buffer, offset)

"""The chime: a source that lives on the device, so that any set of them can sound without a box.

Two tones a major third apart, 750 and 600 Hz, whose periods are whole numbers of frames: a chunk
of one is a copy out of a table, from wherever its phase stands. Each dies away by a gain that
falls with every chunk. Chunks go into the renderer's ring like anybody's, and sound at a house
time that all the devices were given.
"""

from math import pi, sin
from time import ticks_diff, ticks_us

from micropython import const

from . import dsp
from .renderer import IDLE, STARVED
from .rpc import INVALID_PARAMS, REFUSED, RpcError, whole
from .wire import CHUNK_FRAMES, audio

IDENTIFY = "identify"
# A stream number for what is made here: the box's sessions may have it too, at other times.
STREAM = const(65535)
CHUNKS = const(225)  # 1.2 s
_SECOND_TONE = const(75)  # its first chunk: 0.4 s
_PERIODS = (64, 80)  # frames
_PEAK = const(9000)  # of 32767, and two of them overlap
# Of what is left after a chunk, in 32768ths: a tone falls to a tenth in 0.27 s.
_DECAY_Q15 = const(31300)
_QUIET_Q15 = const(32)
# How far ahead of the present a chime may be ordered, and how late: a call takes a while.
_LEAST_US = const(50000)
_MOST_US = const(10000000)
# Chunks made in one go: a chore comes every 50 ms and 9.4 chunks are played meanwhile.
_AT_ONCE = const(16)
# Whoever fed a stream that has been silent for so long is gone, and the room is free.
_ABANDONED_MS = const(5000)
# As loud as talk, in a room whose own volume may be down or muted.
VOLUME = const(5000)
_FRAMES_AT = const(4)  # of a chunk's 16-bit words: its header comes first


def _tone(period):
    # One chunk from any phase on: a period and a chunk, with a soft second and third harmonic.
    table = bytearray(2 * (period + CHUNK_FRAMES))
    for i in range(period + CHUNK_FRAMES):
        x = 2 * pi * i / period
        value = int(_PEAK * (sin(x) + sin(2 * x) / 4 + sin(3 * x) / 8))
        table[2 * i] = value & 0xFF
        table[2 * i + 1] = value >> 8 & 0xFF
    return table


class Chime:
    """The service; plays by `playback`, on house time of `clock`."""

    def __init__(self, playback, renderer, clock, properties):
        self._playback = playback
        self._renderer = renderer
        self._clock = clock
        self._properties = properties
        self._tones = [_tone(period) for period in _PERIODS]
        self._chunk = bytearray(audio.HEADER_BYTES + 2 * CHUNK_FRAMES)
        self._other = bytearray(2 * CHUNK_FRAMES)
        self._gains = [0, 0]
        self._next = CHUNKS  # the chunk to make next
        self._start_us = 0
        self._silent_ms = None  # since when the renderer has starved
        self._abandoned = False  # it has for long
        properties.declare("chime.playing", False)

    def serve(self, connection):
        """Let a peer order a chime."""
        connection.rpc.register("chime.play", self._play)

    def lost(self, connection):
        """A chime that was ordered sounds."""

    def _play(self, start_us, kind=IDENTIFY, volume=VOLUME):
        whole(start_us, 0, 1 << 62, "start_us")
        whole(volume, 0, 10000, "volume")
        if kind != IDENTIFY:
            raise RpcError(INVALID_PARAMS, "no chime %s; there is %s" % (kind, IDENTIFY))
        if not self._clock.synced:
            raise RpcError(REFUSED, "house time is not known here yet: try again in a moment")
        ahead = start_us - self._clock.house_us(ticks_us())
        if not _LEAST_US <= ahead <= _MOST_US:
            text = "start_us is %d us from now; it must be %d to %d"
            raise RpcError(INVALID_PARAMS, text % (ahead, _LEAST_US, _MOST_US))
        if not (self._renderer.state == IDLE or self._mine() or self._abandoned):
            raise RpcError(REFUSED, "music plays here: pause it first")
        self._playback.begin(STREAM, start_us)
        self._playback.lend_volume(volume)
        self._start_us = start_us
        self._next = 0
        self._gains[0] = self._gains[1] = 0
        self._make()
        self._properties.set("chime.playing", True)
        return True

    def chore(self, now_ms):
        """Keep the ring filled; tell when it is over."""
        self._watch(now_ms)
        if not self._properties.get("chime.playing"):
            return
        if not self._mine():
            self._next = CHUNKS
            self._playback.lend_volume(None)
            self._properties.set("chime.playing", False)
        else:
            self._make()

    def _watch(self, now_ms):
        if self._renderer.state != STARVED:
            self._silent_ms = None
        elif self._silent_ms is None:
            self._silent_ms = now_ms
        since = self._silent_ms
        self._abandoned = since is not None and ticks_diff(now_ms, since) >= _ABANDONED_MS

    def _mine(self):
        return self._renderer.plays(STREAM, self._start_us)

    def _make(self):
        ring = self._renderer.ring
        for _ in range(_AT_ONCE):
            if self._next >= CHUNKS or ring.free < len(self._chunk):
                return
            self._render(self._next)
            ring.put(self._chunk)
            self._next += 1
            if self._next == CHUNKS:
                self._renderer.close(CHUNKS)

    def _render(self, number):
        chunk = self._chunk
        head = audio.header(STREAM, audio.PCM16, 1, number)
        dsp.copy_bytes(chunk, 0, head, 0, audio.HEADER_BYTES)
        self._voice(0, number, chunk, _FRAMES_AT)
        if number >= _SECOND_TONE:
            self._voice(1, number - _SECOND_TONE, self._other, 0)
            dsp.mix(chunk, _FRAMES_AT, self._other, 0, CHUNK_FRAMES)

    def _voice(self, tone, number, out, at):
        # One tone's chunk: it swells within the first one and dies away in all others.
        gain = self._gains[tone]
        after = dsp.UNITY_Q15 if number == 0 else gain * _DECAY_Q15 >> 15
        if after < _QUIET_Q15:
            after = 0
        phase = number * CHUNK_FRAMES % _PERIODS[tone]
        dsp.copy(out, at, self._tones[tone], phase, CHUNK_FRAMES)
        # The kernel takes pairs: two frames of one channel are one of them.
        dsp.gain(out, at, CHUNK_FRAMES // 2, gain, after)
        self._gains[tone] = after

"""The renderer's service: what peers may ask of it, and what it reports.

A service is an object with these three, in the device's list of them:

    serve(connection)     a peer has said hello: register methods on connection.rpc
    lost(connection)      that peer is gone
    chore(now_ms)         some twenty times a second, off the hot path
"""

import gc
from time import ticks_us

from micropython import const

from .renderer import IDLE, STATE_NAMES
from .rpc import INVALID_PARAMS, RpcError, whole
from .wire import CHUNK_FRAMES, RATE, audio

_BLOCK_US = const(5333)


class Playback:
    """Serves one renderer to the peers of `listener`."""

    def __init__(self, renderer, output, clock, listener):
        self._renderer = renderer
        self._output = output
        self._clock = clock
        self._listener = listener
        self._feeder = None  # the connection whose stream plays

    def serve(self, connection):
        """Offer the renderer to a peer."""
        rpc = connection.rpc
        rpc.register("renderer.open", lambda **options: self._open(connection, **options))
        rpc.register("renderer.close", self._close)
        rpc.register("renderer.gain", self._gain)

    def lost(self, connection):
        """What is buffered plays out; the box comes back or another one takes over."""
        if connection is self._feeder:
            self._feeder = None

    def chore(self, now_ms):
        """Nothing to do: the loop turns the renderer itself."""

    def _open(self, connection, stream, start_us, codec, pick, channels, first_chunk=0):
        whole(stream, 1, 65535, "stream")
        whole(start_us, 0, 1 << 62, "start_us")
        whole(first_chunk, 0, 0x3FFFFFF0, "first_chunk")
        if codec not in audio.CODECS:
            raise RpcError(INVALID_PARAMS, "codec %s is not known here" % codec)
        if pick not in audio.PICKS or channels != audio.channels_of(pick):
            raise RpcError(INVALID_PARAMS, "%s has not %s channels" % (pick, channels))
        for other in self._listener.connections:
            other.feed_from(None, 0)
        code = audio.CODECS[codec]
        if not self._renderer.plays(stream, start_us, code, channels):
            self._renderer.open(stream, start_us, code, channels, first_chunk)
        connection.feed_from(self._renderer.ring, stream)
        self._feeder = connection
        return {
            "window_chunks": self._renderer.ring.slots,
            "wants": self._renderer.ring.wants(),
        }

    def _close(self, stream, at_chunk=None):
        if stream == self._renderer.stream:
            self._renderer.close(at_chunk)
        return True

    def _gain(self, gain_q15, ramp_ms):
        whole(gain_q15, 0, 32768, "gain_q15")
        whole(ramp_ms, 0, 60000, "ramp_ms")
        self._renderer.volume(gain_q15, ramp_ms * 1000 // _BLOCK_US)
        return True

    def report(self):
        """The playing part of `renderer.report`."""
        renderer = self._renderer
        clock = self._clock
        now = ticks_us()
        return {
            "state": STATE_NAMES[renderer.state],
            "stream": renderer.stream if renderer.state != IDLE else None,
            "buffer_ms": renderer.ring.held * CHUNK_FRAMES * 1000 // RATE,
            "rtt_us": clock.rtt_us,
            "rtt_best_us": clock.best_rtt_us,
            "rtt_p95_us": clock.rtt_p95_us,
            "error_us": renderer.error_us(),
            "skew_ppb": clock.skew_ppb(),
            "gap_us": clock.gap_us,
            "cursor_us": self._output.cursor.width_us(),
            "underruns": renderer.underruns,
            "late_chunks": renderer.ring.late,
            "realigns": renderer.realigns,
            "trims": renderer.trims,
            "heap_free": gc.mem_free(),
            "clock_samples": clock.samples,
            "ticks": now,
            "house_us": clock.house_us(now) if clock.synced else None,
        }

"""The renderer's service: what peers may ask of it, and what it reports.

A service is an object with these three, in the device's list of them:

    serve(connection)     a peer has said hello: register methods on connection.rpc
    lost(connection)      that peer is gone
    chore(now_ms)         some twenty times a second, off the hot path
"""

import gc
from time import ticks_diff, ticks_us

from micropython import const

from .renderer import IDLE, STARVED, STATE_NAMES
from .rpc import INVALID_PARAMS, RpcError, whole
from .volume import FULL, Volume, gain_q15
from .wire import CHUNK_FRAMES, RATE, audio

_BLOCK_US = const(5333)
# A shorter ramp is heard as a click where the sound is low and steady.
_LEAST_RAMP_MS = const(20)
_USUAL_RAMP_MS = const(50)
# A box that died comes back, or another one takes over, within minutes if at all.
_STARVED_MS = const(600000)
# What a box needs to go on with a session after its own restart.
_SESSION_BYTES = const(1500)
_REASON_BYTES = const(200)


class Playback:
    """Serves one renderer to the peers of `listener`, and tells of it in `properties`.

    renderer.state     as in reports
    renderer.stream    its number, or null
    renderer.session   the box's own words about what plays, kept for it until the stream is over
    renderer.reason    why the last stream was closed, "" while one is open
    renderer.volume, renderer.mute
    """

    def __init__(self, renderer, output, clock, listener, properties):
        self._renderer = renderer
        self._output = output
        self._clock = clock
        self._listener = listener
        self._feeder = None  # the connection whose stream plays
        self._starved_ms = None  # since when the stream has been
        self._volume = Volume()
        self._properties = properties
        for name, value in (
            ("state", STATE_NAMES[IDLE]),
            ("stream", None),
            ("session", ""),
            ("reason", ""),
            ("volume", self._volume.volume),
            ("mute", self._volume.mute),
        ):
            properties.declare("renderer." + name, value)
        # A box's own words while nothing plays: of groups, and of music that is held.
        properties.declare("renderer.note", "", writable=_note)

    def serve(self, connection):
        """Offer the renderer to a peer."""
        rpc = connection.rpc
        rpc.register("renderer.open", lambda **options: self._open(connection, **options))
        rpc.register("renderer.close", self._close)
        rpc.register("renderer.session", self._session)
        rpc.register("renderer.level", self._level)

    def lost(self, connection):
        """What is buffered plays out; the box comes back or another one takes over."""
        if connection is self._feeder:
            self._feeder = None

    def chore(self, now_ms):
        """Give up a stream that nobody has fed for long; tell how the renderer fares."""
        if self._renderer.state != STARVED:
            self._starved_ms = None
        elif self._starved_ms is None:
            self._starved_ms = now_ms
        elif ticks_diff(now_ms, self._starved_ms) > _STARVED_MS:
            self.stop("starved")
        self._tell()

    def _tell(self):
        renderer = self._renderer
        tell = self._properties.set
        tell("renderer.state", STATE_NAMES[renderer.state])
        tell("renderer.stream", renderer.stream if renderer.state != IDLE else None)
        if renderer.state == IDLE:
            tell("renderer.session", "")
        tell("renderer.volume", self._volume.volume)
        tell("renderer.mute", self._volume.mute)

    # For other services of this device

    def begin(self, stream, start_us, first_chunk=0, session=None, feeder=None):
        """Open a stream that `feeder` feeds, or one made on the board, unless it is open already.

        Whoever makes it puts its chunks into the ring; `ring.put` says when it has been replaced.
        """
        for connection in self._listener.connections:
            connection.feed(None)
        if not self._renderer.plays(stream, start_us):
            self._renderer.open(stream, start_us, first_chunk)
            self._properties.set("renderer.reason", "")
            self._properties.set("renderer.session", "")
        if session is not None:
            self._properties.set("renderer.session", session)
        self._feeder = feeder
        if feeder is not None:
            feeder.feed(self._renderer.ring)
        self._tell()

    def stop(self, reason=""):
        """Fade out what plays, and say why."""
        for connection in self._listener.connections:
            connection.feed(None)
        self._feeder = None
        self._renderer.close()
        self._properties.set("renderer.reason", reason)
        self._tell()

    def tune(self, trim_us, level_db10, max_volume):
        """What the topology says of this device."""
        self._renderer.trim_us(trim_us)
        self._volume.limit(max_volume, level_db10)
        self._go_to_level(_USUAL_RAMP_MS)

    def lend_volume(self, volume):
        """Have what plays sound at `volume` though the room's own is lower, or muted; None ends
        that. The device's limits hold."""
        own = self._volume
        if volume is None:
            self._renderer.level(own.gain_q15(), 1)
        else:
            self._renderer.level(gain_q15(min(volume, own.max_volume), own.level_db10), 1)

    # Methods

    def _open(
        self,
        connection,
        stream,
        start_us,
        first_chunk=0,
        session=None,
        codec=None,
        pick=None,
        channels=None,
    ):
        whole(stream, 1, 65535, "stream")
        whole(start_us, 0, 1 << 62, "start_us")
        whole(first_chunk, 0, 0x3FFFFFF0, "first_chunk")
        if session is not None:
            _text(session, _SESSION_BYTES, "session")
        if codec is not None and codec not in tuple(audio.CODECS):
            raise RpcError(INVALID_PARAMS, "codec %s is not known here" % codec)
        if pick is not None and pick not in audio.PICKS:
            raise RpcError(INVALID_PARAMS, "pick %s is not known here" % pick)
        if channels is not None:
            whole(channels, 1, 2, "channels")
        self.begin(stream, start_us, first_chunk, session, connection)
        ring = self._renderer.ring
        return {"window_bytes": ring.size, "wants": ring.wants()}

    def _close(self, stream, at_chunk=None, reason=""):
        whole(stream, 1, 65535, "stream")
        _text(reason, _REASON_BYTES, "reason")
        if at_chunk is not None:
            whole(at_chunk, 0, 0x3FFFFFF0, "at_chunk")
        if stream == self._renderer.stream:
            if at_chunk is None:
                self.stop(reason)
            else:
                self._renderer.close(at_chunk)
                self._properties.set("renderer.reason", reason)
        return True

    def _session(self, stream, session):
        _text(session, _SESSION_BYTES, "session")
        if stream != self._renderer.stream:
            raise RpcError(INVALID_PARAMS, "stream %s is not open here" % stream)
        self._properties.set("renderer.session", session)
        return True

    def _level(self, volume=None, mute=None, ramp_ms=_USUAL_RAMP_MS):
        if volume is not None:
            whole(volume, 0, FULL, "volume")
        if mute is not None and mute is not True and mute is not False:
            raise RpcError(INVALID_PARAMS, "mute must be true or false")
        whole(ramp_ms, 0, 60000, "ramp_ms")
        self._volume.set(volume, mute)
        self._go_to_level(ramp_ms)
        return {"volume": self._volume.volume, "mute": self._volume.mute}

    def _go_to_level(self, ramp_ms):
        self._tell()
        blocks = max(ramp_ms, _LEAST_RAMP_MS) * 1000 // _BLOCK_US + 1
        self._renderer.level(self._volume.gain_q15(), blocks)

    # Reporting

    def report(self):
        """The playing part of `renderer.report`."""
        renderer = self._renderer
        clock = self._clock
        now = ticks_us()
        return {
            "state": STATE_NAMES[renderer.state],
            "stream": renderer.stream if renderer.state != IDLE else None,
            "chunk": renderer.chunk if renderer.state != IDLE else None,
            "played_blocks": renderer.played_blocks,
            "fill": renderer.ring.used * 100 // renderer.ring.size,
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


def _note(value):
    _text(value, _SESSION_BYTES, "note")
    return value


def _text(value, limit, what):
    if not isinstance(value, str) or len(value.encode()) > limit:
        raise RpcError(INVALID_PARAMS, "%s must be a text of at most %d bytes" % (what, limit))

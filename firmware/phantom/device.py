"""A device: the parts put together, and the loop that turns them.

One task spins and does everything that has a deadline; it allocates nothing while nothing happens.
A second task does the rest a few times a second: accepting, reporting, collecting garbage.
"""

import asyncio
import gc
from time import sleep_ms, ticks_diff, ticks_ms, ticks_us

from micropython import const

from . import VERSION, config
from .clock import HouseClock
from .exchange import Exchange
from .listener import Listener
from .output import Output
from .port import board as hardware
from .renderer import IDLE, STATE_NAMES, Renderer
from .rpc import INVALID_PARAMS, Rpc, RpcError
from .wire import CHUNK_FRAMES, RATE, audio, mux

# The fit takes some milliseconds on an ESP32; once a second follows any crystal.
_FIT_US = const(1000000)
_FIT_SOON_US = const(40000)
# Until the window has filled a little, every few exchanges sharpen the line.
_SETTLED_SAMPLES = const(32)
_CHORES_MS = const(50)
_REPORT_MS = const(500)
_GC_MS = const(1000)
_BLOCK_US = const(5333)


class Device:
    """Everything that runs on one board, from its two config files."""

    def __init__(self, board, device):
        self.id = device["id"]
        self.name = device.get("name", self.id)
        self._board = board
        # The largest blocks first, before the heap is cut up and before Wi-Fi takes its share.
        self._clock = HouseClock()
        self._dac_channels = board["dac"].get("channels", 2)
        self._ring_bytes = board["ring_bytes"]
        self._renderer = Renderer(self._clock, self._ring_bytes)
        gc.collect()
        i2s, descriptors = hardware.open_dac(board["dac"])
        delay_us = board["dac"]["delay_us"]
        self._output = Output(i2s, descriptors, delay_us, self._renderer, ticks_us())
        self._descriptors = descriptors
        self._boot = hardware.random32()
        self._exchange = Exchange(self._clock, self._boot)
        self._clock_host = None
        self._listener = Listener(
            self.id, self._boot, self._greet, self._lost, device.get("port", 4770)
        )
        self._radio = hardware.Radio(self.id)
        self._wifi = device.get("wifi", {})
        self._feeder = None  # the connection whose stream plays
        self._loop_max_us = 0
        self._gc_max_us = 0
        self._heap_live = 0  # bytes in use after the last collection
        self._fitted = ticks_us()
        self._task = None  # the chores, once running

    # The loop

    async def run(self):
        """Join the network and serve until the board restarts."""
        self._radio.join(self._wifi.get("ssid"), self._wifi.get("key"))
        self._task = asyncio.create_task(self._chores())
        pump = self._output.pump
        exchange = self._exchange.poll
        link = self._listener.poll
        last = ticks_us()
        while True:
            now = ticks_us()
            spent = ticks_diff(now, last)
            if spent > self._loop_max_us:
                self._loop_max_us = spent
            last = now
            pump()
            if exchange(now):
                self._fit(now)
            link(ticks_ms())
            await asyncio.sleep_ms(0)

    def _fit(self, now):
        samples = self._clock.samples
        wait = _FIT_US if samples > _SETTLED_SAMPLES else _FIT_SOON_US
        if ticks_diff(now, self._fitted) >= wait or not self._clock.synced:
            self._fitted = now
            # Later than any exchange in the window: ages are never negative.
            self._clock.fit(ticks_us())

    async def _chores(self):
        reported = ticks_ms()
        collected = ticks_ms()
        while True:
            now = ticks_ms()
            self._listener.accept(now)
            for connection in self._listener.connections:
                if connection.rpc is not None:
                    connection.rpc.tick(now)
            if ticks_diff(now, reported) >= _REPORT_MS:
                reported = now
                self._report()
            elif ticks_diff(now, collected) >= _GC_MS:
                collected = now
                self._collect()
            self._clock.unwrap(ticks_us())
            await asyncio.sleep_ms(_CHORES_MS)

    def _collect(self):
        # Right after the ring has been filled there are its 85 ms to spend.
        self._output.pump()
        before = ticks_us()
        gc.collect()
        self._heap_live = gc.mem_alloc()
        spent = ticks_diff(ticks_us(), before)
        if spent > self._gc_max_us:
            self._gc_max_us = spent

    # Peers

    def _greet(self, connection):
        rpc = Rpc(connection.send_message, mux.MAX_MESSAGE)
        connection.rpc = rpc
        rpc.register("device.info", self._info)
        rpc.register("device.clock", lambda port: self._follow(connection, port))
        rpc.register("device.restart", self._restart)
        rpc.register("renderer.open", lambda **options: self._open(connection, **options))
        rpc.register("renderer.close", self._close)
        rpc.register("renderer.gain", self._gain)

    def _lost(self, connection):
        if connection is self._feeder:
            # What is buffered plays out; the box comes back or another one takes over.
            self._feeder = None

    def _info(self):
        return {
            "id": self.id,
            "name": self.name,
            "board": self._board["name"],
            "version": VERSION,
            "boot": self._boot,
            "ring_bytes": self._ring_bytes,
            "dac_channels": self._dac_channels,
            "ahead_us": self._descriptors * _BLOCK_US,
            "codecs": sorted(audio.CODECS),
            "rate": RATE,
        }

    def _follow(self, connection, port):
        _whole(port, 1, 65535, "port")
        if self._clock_host != (connection.host, port) or not self._clock.synced:
            self._clock_host = (connection.host, port)
            self._exchange.start(connection.host, port, ticks_us())
        return True

    def _restart(self):
        hardware.restart()

    def _open(self, connection, stream, start_us, codec, pick, channels, first_chunk=0):
        _whole(stream, 1, 65535, "stream")
        _whole(start_us, 0, 1 << 62, "start_us")
        _whole(first_chunk, 0, 0x3FFFFFF0, "first_chunk")
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
        _whole(gain_q15, 0, 32768, "gain_q15")
        _whole(ramp_ms, 0, 60000, "ramp_ms")
        self._renderer.volume(gain_q15, ramp_ms * 1000 // _BLOCK_US)
        return True

    # What others may know

    def _report(self):
        if not self._listener.connections:
            return
        report = self.report()
        for connection in self._listener.connections:
            if connection.rpc is not None:
                connection.rpc.notify("renderer.report", report)

    def report(self):
        """The device's state, as `renderer.report` sends it."""
        renderer = self._renderer
        clock = self._clock
        now = ticks_us()
        report = {
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
            "heap_live": self._heap_live,
            "loop_max_us": self._loop_max_us,
            "gc_max_us": self._gc_max_us,
            "rssi": self._radio.rssi(),
            "clock_samples": clock.samples,
            "refused": self._exchange.refused + self._listener.malformed,
            "ticks": now,
            "house_us": clock.house_us(now) if clock.synced else None,
        }
        self._loop_max_us = 0
        self._gc_max_us = 0
        return report


def _whole(value, low, high, name):
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RpcError(
            INVALID_PARAMS, "%s must be a whole number from %d to %d" % (name, low, high)
        )


def main():
    """Run this board. Called by main.py; does not return."""
    try:
        board = config.load(config.BOARD)
        device = config.load(config.DEVICE)
    except config.ConfigError as error:
        # Nothing to play with: say so until someone provisions the board.
        while True:
            print(error)
            sleep_ms(5000)
    hardware.full_speed(board["max_hz"])
    asyncio.run(Device(board, device).run())

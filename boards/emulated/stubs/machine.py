"""`machine` of the emulated board: pins that go nowhere, resets, and the I2S peripheral.

I2S follows ESP-IDF 5 (esp_driver_i2s/i2s_common.c) under ports/esp32/machine_i2s.c: a ring of N
descriptors of 256 frames, a free queue of N-1, `auto_clear`, a clock that runs from the
constructor to `deinit`. The model advances when it is asked; no thread is needed. What leaves the
DAC is written to the capture file (boards/emulated/capture.py).
"""

import struct
import sys

import micropython
import vfs
from _board import at_end, end, event, facts, machine_ns_of, machine_us, ticks_of
from _retained import RTC, WDT
from _timers import Timer
from micropython import const
from resets import (
    DEEPSLEEP_RESET,
    EXIT_HARD,
    EXIT_LOADER,
    HARD_RESET,
    PWRON_RESET,
    SOFT_RESET,
    WDT_RESET,
)

_FRAMES = const(256)
_BLOCK = const(1024)  # 16-bit stereo
_PERIOD_X3 = const(16000)  # a descriptor at 48 kHz lasts 16000/3 us

_SEGMENT = const(1)
_EMPTY = const(2)
_SILENT = const(4)
_RUN = const(8)

__all__ = (
    "DEEPSLEEP_RESET",
    "HARD_RESET",
    "I2C",
    "I2S",
    "PWRON_RESET",
    "RTC",
    "SOFT_RESET",
    "WDT",
    "WDT_RESET",
    "Pin",
    "Timer",
)

_frequency = 160_000_000


def freq(hz=None):
    global _frequency
    if hz is None:
        return _frequency
    if hz > facts["max_hz"]:
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _frequency = hz
    return None


def unique_id():
    return bytes.fromhex(facts["mac"])


def reset():
    end(EXIT_HARD)


def soft_reset():
    sys.exit()  # what ends the firmware's code restarts MicroPython


def bootloader(timeout=0):
    end(EXIT_LOADER)


def reset_cause():
    return facts["reset_cause"]


class Pin:
    IN = 1
    OUT = 3
    PULL_UP = 2
    PULL_DOWN = 1

    def __init__(self, number, mode=-1, pull=-1, value=0):
        self._number = number
        self._value = value
        if mode == Pin.OUT:
            _drive(number, value)

    def value(self, level=None):
        if level is None:
            return self._value
        self._value = level
        _drive(self._number, level)
        return None

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


# The chip behind I2C, on boards that have one: its double (_i2c.py).

_chip = None


def _control_chip():
    global _chip
    if _chip is None and facts.get("control") and facts["control_fitted"]:
        import _i2c

        _chip = _i2c.make(I2S._clocks_us)
    return _chip


def _drive(number, level):
    control = facts.get("control")
    if control and number == control.get("enable") and _control_chip():
        _chip.enable(level)


def I2C(id, *, scl, sda, freq=400000, timeout=50000):  # noqa: N802 - a class on the chip
    import _i2c

    return _i2c.I2C(_control_chip(), id, scl, sda)


@micropython.viper
def _fill(dst: ptr8, src: ptr8, n: int) -> int:
    # Copies a descriptor and tells whether any of it sounds.
    loud = 0
    for i in range(n):
        x = src[i]
        dst[i] = x
        loud |= x
    return loud


class I2S:
    TX = 2
    RX = 1
    MONO = 1
    STEREO = 2
    MONO_FORMAT = MONO
    _used = {}

    def __init__(self, id, *, sck, ws, sd, mode, bits, format, rate, ibuf, mck=None):
        if id not in range(facts["i2s_ports"]):
            raise ValueError("invalid id")
        if mode not in (I2S.TX, I2S.RX):
            raise ValueError("invalid mode")
        if bits not in (16, 32):
            raise ValueError("invalid bits")
        if format not in (I2S.MONO, I2S.STEREO):
            raise ValueError("invalid format")
        if mode != I2S.TX or bits != 16 or format != I2S.STEREO or rate != 48000:
            raise NotImplementedError("the emulated DAC takes 48 kHz, 16 bit, stereo")
        if id in I2S._used:
            I2S._used[id].deinit()
        self._id = id
        n = max(2, ibuf // _BLOCK)
        if n * _BLOCK > facts["dma_bytes"]:
            raise OSError(12, "allocate DMA buffer failed")
        I2S._used[id] = self
        self._n = n
        self._data = [bytearray(_BLOCK) for _ in range(n)]
        self._filled = bytearray(n)  # 0 empty, 1 silent, 2 sounding
        self._queue = [0] * n  # free descriptors, oldest first: a ring of at most n-1
        self._head = 0
        self._queued = 0
        self._current = -1
        self._cursor = 0
        self._asyncio = False
        self._played = 0  # boundaries passed: descriptors that have left
        self._t0 = ticks_of(machine_us())
        self._run_flags = 0
        self._run_from = 0
        self._run_count = 0
        self._record = bytearray(8 + 4)
        files = vfs.VfsPosix("/")  # pyright: ignore[reportAttributeAccessIssue]
        self._out = files.open(facts["capture"], "ab")
        self._wedge = files.open(facts["wedge"], "rb")
        self._wedge_byte = bytearray(1)
        self._wedged = False
        self._looked = 0
        self._chip = _control_chip()
        # Nothing sounds where the amplifier that belongs there is not fitted.
        self._bare = bool(facts.get("control")) and self._chip is None
        self._segment(rate)

    @staticmethod
    def _clocks_us():
        for i2s in I2S._used.values():
            return ticks_of(machine_us()) - i2s._t0
        return -1

    # The truth

    def _heard(self):
        # What the capture holds is what a loudspeaker would give.
        return not self._bare and (self._chip is None or self._chip.audible)

    def _segment(self, rate):
        ppm = 1.0 + facts["ppb"] * 1e-9
        t0_ns = machine_ns_of(self._t0 * 1000) + facts["dac_delay_us"] * 1000
        body = struct.pack("<8sIIqdq", b"PHCAP001", rate, _FRAMES, t0_ns, rate * ppm, self._t0)
        self._out.write(struct.pack("<IHH", 0, _SEGMENT, len(body)) + body)

    def _emit(self, k, slot):
        filled = self._filled[slot]
        if filled == 2 and self._heard():
            self._flush_run()
            struct.pack_into("<IHH", self._record, 0, k, 0, _BLOCK)
            self._out.write(self._record, 8)
            self._out.write(self._data[slot])
            return
        flags = _SILENT if filled else _EMPTY
        if flags != self._run_flags or self._run_count >= 32:
            self._flush_run()
            self._run_flags = flags
            self._run_from = k
        self._run_count += 1

    def _flush_run(self):
        if self._run_count:
            flags = _RUN | self._run_flags
            struct.pack_into("<IHHI", self._record, 0, self._run_from, flags, 4, self._run_count)
            self._out.write(self._record)
            self._run_count = 0
            self._run_flags = 0

    # The peripheral

    def _advance(self):
        # Boundary k (k = 1, 2, ...) stands at t0 + k periods; passing it finishes descriptor k-1.
        elapsed_x3 = (ticks_of(machine_us()) - self._t0) * 3
        passed = elapsed_x3 // _PERIOD_X3
        n = self._n
        while self._played < passed:
            slot = self._played % n
            self._emit(self._played, slot)
            self._filled[slot] = 0
            if self._queued == n - 1:
                # Overflow: the oldest free descriptor is dropped from the queue.
                self._head = (self._head + 1) % n
                self._queued -= 1
            self._queue[(self._head + self._queued) % n] = slot
            self._queued += 1
            self._played += 1

    def _wedged_now(self):
        # A byte in a file of the emulator's says that DMA has stopped; looked for some three times
        # a second, and without allocating, as the firmware's hot path comes by here.
        self._looked += 1
        if self._looked & 63 or self._wedged:
            return self._wedged
        if self._wedge.readinto(self._wedge_byte):
            self._wedged = True
            event("I2S: DMA stopped")
        return self._wedged

    def _take(self):
        if not self._queued or self._wedged_now():
            return False
        self._current = self._queue[self._head]
        self._head = (self._head + 1) % self._n
        self._queued -= 1
        self._cursor = 0
        return True

    def write(self, buf):
        if not self._asyncio:
            raise NotImplementedError(
                "the emulated I2S writes in asyncio mode: poll it once first"
            )
        self._advance()
        size = len(buf)
        if size == _BLOCK and self._cursor == 0:
            if not self._take():
                return 0
            slot = self._current
            self._filled[slot] = 2 if _fill(self._data[slot], buf, _BLOCK) else 1
            return _BLOCK
        return self._write_pieces(buf, size)

    def _write_pieces(self, buf, size):
        # Any other size leaves the cursor inside a descriptor, stale after an underrun.
        done = 0
        view = memoryview(buf)
        while done < size:
            if self._cursor == 0 and not self._take():
                break
            step = min(_BLOCK - self._cursor, size - done)
            self._data[self._current][self._cursor : self._cursor + step] = view[
                done : done + step
            ]
            self._filled[self._current] = 2
            self._cursor = (self._cursor + step) % _BLOCK
            done += step
        return done

    def ioctl(self, request, argument):
        if request == 10:  # MP_STREAM_GET_FILENO
            return -22
        if request == 3:  # MP_STREAM_POLL
            self._asyncio = True
            self._advance()
            return 4 if self._queued else 0
        return -22

    def irq(self, handler):
        raise NotImplementedError("the emulated I2S has no irq mode")

    def deinit(self):
        if self._used.get(self._id) is self:
            self._advance()
            self._flush_run()
            self._out.close()
            del self._used[self._id]


def _flush_captures():
    for i2s in I2S._used.values():
        i2s._flush_run()


at_end(_flush_captures)

"""Everest ES8311: a mono codec, of which the DAC is used, with an amplifier behind it.

MicroPython has no MCLK pin. So the codec's clock is the bit clock, 32 to a frame, times 8: the 256
to a frame that its DAC wants. Registers are of the ES8311 User Guide, Rev 1.11.
"""

from time import sleep_ms

from phantom.wire import const

from . import CodecError

_RESET = const(0x00)
_CLOCKS = const(0x01)
_SERIAL_IN = const(0x09)
_ANALOG = const(0x0D)
_DAC_POWER = const(0x12)
_OUTPUT = const(0x13)
_DAC_MUTE = const(0x31)
_DAC_VOLUME = const(0x32)
_DAC_FILTER = const(0x37)
_CHIP_ID = const(0xFD)  # and 0xFE

_ALL_RESET = const(0x1F)
_RUN = const(0x80)  # the state machine on, as a slave of I2S
# The clock out of BCLK; MCLK, BCLK and both halves of the DAC on, those of the ADC off.
_CLOCKS_OF_BCLK = const(0xB5)
_MUTED = const(0x60)
_DAC_OFF = const(0x02)
_VOLUME_0_DB = const(0xBF)  # and half a decibel less for each step down

# From 0x02 on: BCLK x 8; oversampling of 16; both dividers 1; a slave's BCLK and LRCK.
_CLOCK_TREE = b"\x18\x10\x10\x00\x03\x00\xff"

_RESET_MS = const(20)
# The reference voltage, and the amplifier, settle while the DAC is mute.
_SETTLE_MS = const(10)


class Chip:
    """`enable` is the pin of the amplifier behind it."""

    def __init__(self, registers, enable, gain_db10):
        self._registers = registers
        self._enable = enable
        self._volume = max(0, _VOLUME_0_DB - -gain_db10 // 5)

    def start(self):
        """Reset, clocks, I2S, power, and only then sound."""
        write = self._registers.write
        if self._enable is not None:
            self._enable(0)
        self._identify()
        write(_RESET, _ALL_RESET)
        sleep_ms(_RESET_MS)
        write(_RESET, 0)
        write(_RESET, _RUN)
        write(_DAC_MUTE, _MUTED)
        write(_CLOCKS, _CLOCKS_OF_BCLK)
        for offset, value in enumerate(_CLOCK_TREE):
            write(0x02 + offset, value)
        write(_SERIAL_IN, 0x0C)  # I2S, words of 16 bits, the left slot
        write(_ANALOG, 0x01)  # bias and references on
        sleep_ms(_SETTLE_MS)
        write(_DAC_POWER, 0)
        write(_OUTPUT, 0x10)  # with the driver that an amplifier or headphones want
        write(_DAC_FILTER, 0x08)  # no equaliser
        write(_DAC_VOLUME, self._volume)
        if self._enable is not None:
            self._enable(1)
            sleep_ms(_SETTLE_MS)
        write(_DAC_MUTE, 0)

    def _identify(self):
        read = self._registers.read
        found = read(_CHIP_ID) << 8 | read(_CHIP_ID + 1)
        if found != 0x8311:
            raise CodecError("another chip answers in its place, of id %04x" % found)

    def check(self):
        """It tells of no faults; whether it still has its settings."""
        read = self._registers.read
        if read(_RESET) != _RUN or read(_CLOCKS) != _CLOCKS_OF_BCLK:
            raise CodecError("it has lost its settings")
        return ""

    def stop(self):
        """Mute, then the amplifier, then the DAC."""
        try:
            self._registers.write(_DAC_MUTE, _MUTED)
        finally:
            if self._enable is not None:
                self._enable(0)
        self._registers.write(_DAC_POWER, _DAC_OFF)

"""Texas Instruments TAS5805M: a stereo class-D amplifier with I2S in, which needs no MCLK.

Its PLL takes the bit clock, 32 of them a frame here ("Serial Audio Port - Clock Rates", 7.3.3).
Sections and registers are of the datasheet SLASEH5D.
"""

from time import sleep_ms

from phantom.wire import const

from . import CodecError

# Book 0, page 0 ("CONTROL PORT Registers", 7.6.1).
_PAGE = const(0x00)
_RESET_CTRL = const(0x01)
_DEVICE_CTRL_1 = const(0x02)
_DEVICE_CTRL_2 = const(0x03)
_SAP_CTRL_1 = const(0x33)
_FS_MON = const(0x37)
_DIG_VOL = const(0x4C)
_AGAIN = const(0x54)
_FAULTS = const(0x70)  # and 0x71, 0x72
_FAULT_CLEAR = const(0x78)
_BOOK = const(0x7F)

# DEVICE_CTRL_2: the state in the lowest two bits; bit 4, which is set after power-up, holds the
# DSP in reset.
_DEEP_SLEEP = const(0)
_HIZ = const(2)
_PLAY = const(3)
_MUTE = const(8)

_RESET = const(0x11)  # the DSP and all registers
_FS_48K = const(9)  # in the lower half of FS_MON
_VOLUME_0_DB = const(0x30)  # and half a decibel less for each step up
_AGAIN_STEPS = const(31)
_CLEAR = const(0x80)

# "Startup Procedures" (7.5.3.1) and "Shutdown Procedures" (7.5.3.2) ask for these.
_POWER_UP_MS = const(6)
_BOOT_MS = const(6)
_HIZ_MS = const(7)
# The clock detector needs some frames; what it says is read a few times.
_CLOCK_TRIES = const(5)

_TEXTS = (
    (0x70, 0x0C, "direct current at an output: see to the loudspeakers' wires"),
    (0x70, 0x03, "too much current: see to the loudspeakers' wires and impedance"),
    (0x71, 0x01, "its supply is too low: see to the power adapter"),
    (0x71, 0x02, "its supply is too high: take a power adapter of at most 24 V"),
    (0x71, 0x04, "I2S's clocks have failed: see to BCK and LRCK"),
    (0x71, 0xC0, "its memory is damaged: switch the board off and on"),
    (0x72, 0x01, "it was too hot and switched off: give it air, or play softer"),
)


class Chip:
    """`enable` is its PDN pin."""

    def __init__(self, registers, enable, gain_db10):
        self._registers = registers
        self._enable = enable
        # As much as can be by the output stage, whose noise goes down with it, in steps of 0.5 dB.
        steps = -gain_db10 // 5
        self._again = min(steps, _AGAIN_STEPS)
        self._volume = _VOLUME_0_DB + steps - self._again

    def start(self):
        """As the startup procedure has it: clocks, Hi-Z so that the DSP boots, settings, play."""
        if self._enable is not None:
            # Low clears every register, whatever state a reset of ours left the chip in.
            self._enable(0)
            sleep_ms(1)
            self._enable(1)
            sleep_ms(_POWER_UP_MS)
        write = self._registers.write
        self._first_page()
        write(_DEVICE_CTRL_2, _HIZ)
        write(_RESET_CTRL, _RESET)
        self._first_page()
        # The first Hi-Z boots the DSP, which sets everything back: settings come after.
        write(_DEVICE_CTRL_2, _HIZ)
        sleep_ms(_BOOT_MS)
        self._await_clocks()
        write(_DEVICE_CTRL_1, 0)  # two bridge-tied loads, BD modulation
        write(_SAP_CTRL_1, 0)  # I2S, words of 16 bits
        write(_AGAIN, self._again)
        write(_DIG_VOL, self._volume)
        write(_FAULT_CLEAR, _CLEAR)
        write(_DEVICE_CTRL_2, _MUTE | _PLAY)
        write(_DEVICE_CTRL_2, _PLAY)

    def _first_page(self):
        self._registers.write(_PAGE, 0)
        self._registers.write(_BOOK, 0)

    def _await_clocks(self):
        for _ in range(_CLOCK_TRIES):
            if self._registers.read(_FS_MON) & 15 == _FS_48K:
                return
            sleep_ms(2)
        raise CodecError("it sees no 48 kHz on I2S: see to BCK and LRCK")

    def check(self):
        """What its fault registers tell; cleared, so that it plays on if the cause is gone."""
        read = self._registers.read
        if read(_DEVICE_CTRL_2) != _PLAY:
            raise CodecError("it has lost its settings")
        found = [read(_FAULTS), read(_FAULTS + 1), read(_FAULTS + 2)]
        if not any(found):
            return ""
        self._registers.write(_FAULT_CLEAR, _CLEAR)
        for register, mask, text in _TEXTS:
            if found[register - _FAULTS] & mask:
                return text
        return "fault registers %02x %02x %02x" % tuple(found)

    def stop(self):
        """As the shutdown procedure has it."""
        try:
            self._registers.write(_DEVICE_CTRL_2, _MUTE | _PLAY)
            self._registers.write(_DEVICE_CTRL_2, _HIZ)
            sleep_ms(_HIZ_MS)
            self._registers.write(_DEVICE_CTRL_2, _DEEP_SLEEP)
        finally:
            if self._enable is not None:
                self._enable(0)

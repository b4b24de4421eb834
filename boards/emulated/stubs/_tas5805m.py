"""A double of the TAS5805M at the level of its registers, as strict as the chip (SLASEH5D).

It answers 5 ms after PDN has gone up. Its DSP boots in the first Hi-Z, takes 5 ms for it and wants
I2S's clocks before: without, nothing of it will play until it is reset. What is set before it has
booted is set back by that. It plays in the state Play, unmuted, after it has booted.
"""

ENODEV = 19
POWER_UP_US = 5000
BOOT_US = 5000
CLOCK_US = 2000

_DEFAULTS = {0x02: 0x00, 0x03: 0x10, 0x33: 0x02, 0x4C: 0x30, 0x54: 0x00}
_PLAY = 3
_HIZ = 2
_DSP_OFF = 0x10
_MUTE = 8


class Chip:
    """`now_us()` counts up; `clocks_us()` is for how long I2S's clocks have run, -1 if not."""

    def __init__(self, now_us, clocks_us, has_enable=True):
        self._now_us = now_us
        self._clocks_us = clocks_us
        self._up_us = None if has_enable else now_us() - POWER_UP_US
        self.faults = {}  # of registers 0x70 to 0x72: for tests to set
        self._clear()

    def _clear(self):
        self.registers = dict(_DEFAULTS)
        self._page = 0
        self._book = 0
        self._boots_us = None  # when the DSP will have booted
        self.booted = False
        self.audible = False

    def enable(self, level):
        """The level of its PDN pin."""
        if not level:
            self._up_us = None
            self._clear()
        elif self._up_us is None:
            self._up_us = self._now_us()

    def _settle(self):
        now = self._now_us()
        if self._up_us is None or now - self._up_us < POWER_UP_US:
            raise OSError(ENODEV)
        if self._boots_us is not None and now >= self._boots_us:
            self._boots_us = None
            self.booted = True
            state = self.registers[0x03]
            self.registers = dict(_DEFAULTS)
            self.registers[0x03] = state

    def write(self, register, value):
        """One byte from the bus."""
        self._settle()
        if register == 0x00:
            self._page = value
        elif self._page == 0 and register == 0x7F:
            self._book = value
        elif self._page or self._book:
            pass  # coefficients of the DSP
        elif register == 0x01:
            self._reset(value)
        elif register == 0x78:
            if value & 0x80:
                self.faults = {}
        else:
            self.registers[register] = value
            if register == 0x03:
                self._go(value)
        state = self.registers[0x03]
        playing = state & 3 == _PLAY and not state & (_MUTE | _DSP_OFF)
        self.audible = self.booted and playing and self.registers[0x4C] != 0xFF

    def _reset(self, value):
        if value & 0x01:
            self.registers = dict(_DEFAULTS)
        if value & 0x10:
            self.booted = False
            self._boots_us = None

    def _go(self, state):
        if self.booted or self._boots_us is not None or state & _DSP_OFF:
            return
        if state & 3 == _HIZ and self._clocks_us() >= CLOCK_US:
            self._boots_us = self._now_us() + BOOT_US

    def read(self, register):
        """One byte to the bus."""
        self._settle()
        clocked = self._clocks_us() >= CLOCK_US
        if register == 0x00:
            return self._page
        if register == 0x37:
            return 9 if clocked else 0
        if register == 0x38:
            return 32 if clocked else 0
        if register == 0x68:
            return self.registers[0x03] & 3 if self.booted else 0
        if 0x70 <= register <= 0x72:
            fault = self.faults.get(register, 0)
            return fault | (4 if register == 0x71 and not clocked else 0)
        return self.registers.get(register, 0)

"""A double of the ES8311 at the level of its registers, as strict as the chip (User Guide 1.11).

It sounds when its state machine runs as a slave, its clock is BCLK times 8 (no board that runs
MicroPython drives its MCLK), the DAC has power and clocks, takes 16-bit I2S, is not muted, and has
a volume that can be heard; and when the amplifier behind it is enabled.
"""

_DEFAULTS = {
    0x00: 0x1F,
    0x03: 0x10,
    0x04: 0x10,
    0x06: 0x03,
    0x08: 0xFF,
    0x0C: 0x20,
    0x0D: 0xFC,
    0x0E: 0x6A,
    0x12: 0x02,
    0x13: 0x40,
    0x37: 0x08,
}
_DAC_CLOCKS = 0xB5  # from BCLK; MCLK, BCLK, digital and analogue DAC
_HEARD = 0x40  # of 0x32: some 60 dB below full scale
_IDS = {0xFD: 0x83, 0xFE: 0x11, 0xFF: 0x00}


class Chip:
    """`now_us()` counts up; `clocks_us()` is for how long I2S's clocks have run, -1 if not."""

    def __init__(self, now_us, clocks_us, has_enable=True):
        self._clocks_us = clocks_us
        self.registers = dict(_DEFAULTS)
        self.amplifier = not has_enable
        self.audible = False

    def enable(self, level):
        """The level of the amplifier's pin."""
        self.amplifier = bool(level)
        self._look()

    def write(self, register, value):
        """One byte from the bus."""
        if register in _IDS:
            return
        if register == 0x00 and value & 0x1F == 0x1F:
            self.registers = dict(_DEFAULTS)
        self.registers[register] = value
        self._look()

    def read(self, register):
        """One byte to the bus."""
        return _IDS.get(register, self.registers.get(register, 0))

    def _look(self):
        at = self.registers.get
        self.audible = (
            self.amplifier
            and self._clocks_us() >= 0
            and at(0x00, 0) == 0x80
            and at(0x01, 0) & _DAC_CLOCKS == _DAC_CLOCKS
            and at(0x02, 0) == 0x18
            and at(0x05, 0) & 0x0F == 0
            and at(0x09, 0) & 0x5F == 0x0C
            and at(0x0D, 0) & 0xFC == 0
            and at(0x12, 0) & 0x02 == 0
            and at(0x31, 0) & 0x60 == 0
            and at(0x32, 0) >= _HEARD
        )

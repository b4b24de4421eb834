"""Chips behind I2C that stand between I2S and the loudspeaker: codecs and amplifiers.

A module for each, named as board.json's `dac.control.driver` names it, and loaded by boards that
have such a chip only. It has a class `Chip`:

    Chip(registers, enable, gain_db10)
        registers: `Registers` of the chip. enable: the pin that powers it or the amplifier behind
        it, called with 0 or 1; None without. gain_db10: tenths of a decibel, 0 or less
    start()     bring it up, playing. I2S's clocks run already. Raises OSError if it does not
                answer, CodecError if it answers and can't play
    check()     "" if it plays, or what is wrong, for people; raises as start() does
    stop()      silence, without a click, and power down
"""

from time import ticks_diff

from phantom.wire import const, discovery

_CHECK_MS = const(2000)
# Bringing one up blocks for some 30 ms, of the 85 that the DAC has in stock.
_AGAIN_MS = const(10000)


class CodecError(Exception):
    """The chip can't play. The text says why."""


class Registers:
    """The 8-bit registers of one chip; `bus` is a machine.I2C."""

    def __init__(self, bus, address):
        self._bus = bus
        self.address = address
        self._one = bytearray(1)

    def write(self, register, value):
        """Set one. A transfer that fails is tried once more: the radio is near."""
        self._one[0] = value
        try:
            self._bus.writeto_mem(self.address, register, self._one)
        except OSError:
            self._bus.writeto_mem(self.address, register, self._one)

    def read(self, register):
        """What one holds."""
        try:
            self._bus.readfrom_mem_into(self.address, register, self._one)
        except OSError:
            self._bus.readfrom_mem_into(self.address, register, self._one)
        return self._one[0]


def load(control, bus, enable):
    """The chip that `control`, board.json's facts of it, tells of. Raises CodecError."""
    driver = control["driver"]
    try:
        module = __import__("phantom.codecs." + driver, None, None, ("Chip",))
    except ImportError:
        raise CodecError("no driver for it in this firmware; update it")
    registers = Registers(bus, control["address"])
    return module.Chip(registers, enable, control.get("gain_db10", 0))


class Codec:
    """A service of the device: keeps the chip playing, whatever happens to it.

    `fault` is what is wrong now, "" if nothing, and told to `upkeep`, a phantom.upkeep.Upkeep. A
    chip that is away keeps nobody from anything: the device plays on, unheard, and looks for it.
    """

    def __init__(self, control, bus, enable, upkeep):
        self._control = control
        self._bus = bus
        self._enable = enable
        self._upkeep = upkeep
        self._chip = None
        self._plays = False
        self._looked = None  # ticks of the last look at it
        self.fault = ""

    def start(self):
        """Bring the chip up, or say why not."""
        self._plays = False
        fault = ""
        try:
            if self._chip is None:
                self._chip = load(self._control, self._bus, self._enable)
            self._chip.start()
            self._plays = True
        except OSError:
            fault = (
                "nothing answers at I2C address 0x%02x: see to its supply and its wires"
                % (self._control["address"])
            )
        except CodecError as error:
            fault = str(error)
        self._tell(fault)

    def _tell(self, fault):
        if fault:
            fault = "%s: %s" % (self._control["driver"], fault)
        if fault != self.fault:
            print(fault or "%s: plays" % self._control["driver"])
            if self.fault:
                self._upkeep.mended(self.fault)
            if fault:
                self._upkeep.fault(fault, discovery.OTHER)
            self.fault = fault

    def stop(self):
        """Silence, for a restart."""
        self._plays = False
        if self._chip is not None:
            try:
                self._chip.stop()
            except OSError:
                pass  # it is silent already, or nobody's to silence
        elif self._enable is not None:
            self._enable(0)

    # As a service

    def serve(self, connection):
        """It has nothing to ask of."""

    def lost(self, connection):
        """Nobody it would miss."""

    def chore(self, now_ms):
        """See whether it still plays; bring it up again if not."""
        if self._looked is None:
            self._looked = now_ms
        wait = _CHECK_MS if self._plays else _AGAIN_MS
        if ticks_diff(now_ms, self._looked) < wait:
            return
        self._looked = now_ms
        if not self._plays:
            self.start()
            return
        try:
            self._tell(self._chip.check())
        except (OSError, CodecError):
            self.start()  # at once: it may have lost its supply for a moment only

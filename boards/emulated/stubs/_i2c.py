"""`machine.I2C` of the emulated board, with the double of the one chip that may be behind it.

A wrong pin or address is answered by nobody: OSError 19, as in ports/esp32/machine_i2c.c.
"""

from _board import facts, machine_us

ENODEV = 19


def make(clocks_us):
    """The double of the chip that this board has; `clocks_us()` tells of I2S."""
    control = facts["control"]
    module = __import__("_" + control["driver"])
    return module.Chip(machine_us, clocks_us, "enable" in control)


class I2C:
    def __init__(self, chip, id, scl, sda):
        if id not in (0, 1):
            raise ValueError("I2C(%s) doesn't exist" % id)
        control = facts.get("control") or {}
        wired = scl._number == control.get("scl") and sda._number == control.get("sda")
        self._chip = chip if wired else None
        self._address = control.get("address")

    def _at(self, address):
        if self._chip is None or address != self._address:
            raise OSError(ENODEV)
        return self._chip

    def scan(self):
        found = []
        if self._chip is not None:
            try:
                self._chip.read(0)
                found.append(self._address)
            except OSError:
                pass
        return found

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        chip = self._at(addr)
        for offset in range(len(buf)):
            chip.write(memaddr + offset, buf[offset])

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        chip = self._at(addr)
        for offset in range(len(buf)):
            buf[offset] = chip.read(memaddr + offset)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        buf = bytearray(nbytes)
        self.readfrom_mem_into(addr, memaddr, buf)
        return bytes(buf)

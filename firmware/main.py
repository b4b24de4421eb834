"""Runs the device; whatever ends it, a board begins again by itself."""

import sys
import time

import machine

try:
    from phantom import device

    device.main()
except Exception as error:
    sys.print_exception(error)
    # Long enough for whoever reads the serial line, or interrupts here.
    time.sleep_ms(500)
    machine.reset()

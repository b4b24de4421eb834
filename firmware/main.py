"""Runs the device."""

from phantom import device

device.main()

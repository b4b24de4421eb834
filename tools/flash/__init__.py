"""Boards on a serial port: flash one, list them, change what one was told, hear what one says.

esptool and mpremote do the talking, each unmodified and as a process of its own.
"""

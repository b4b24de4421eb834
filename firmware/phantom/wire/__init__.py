"""What travels between boards and boxes: one definition of every byte layout.

All integers on the wire are little-endian, as every CPU that Phantom runs on is. House time is
an unsigned 64-bit count of microseconds. See docs/protocol.md for the drawings.
"""

try:
    from micropython import const  # pyright: ignore[reportAssignmentType]
except ImportError:  # CPython

    def const(value):
        return value


# Carried in every hello and beacon; peers of another major version are refused with a reason.
PROTOCOL = const(1)

LINK_PORT = const(4770)  # TCP, a device listens: the multiplexed link
CLOCK_PORT = const(4771)  # UDP, a box listens: house time
DISCOVERY_PORT = const(4772)  # UDP broadcast: who is here

# The canonical stream format: what sources produce and DACs run at.
RATE = const(48000)  # frames per second
CHUNK_FRAMES = const(256)  # one DMA descriptor of an ESP32, 5.333 ms

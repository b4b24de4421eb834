"""Pieces of an upload on the BULK channel: each is one frame with a head of its own.

0            2            6
+------------+------------+---------------------------+
| id (u16)   | offset     | data (1 to DATA_BYTES)    |
+------------+------------+---------------------------+
"""

import struct

from . import const

HEADER_BYTES = const(6)
# Four such frames fill the window: one is read while two are on their way.
DATA_BYTES = const(1018)
# The flash of the largest board.
MAX_SIZE = const(0x1000000)

_HEADER = "<HI"


def header(identity, offset):
    """What goes before the data that belongs at `offset` of an upload."""
    return struct.pack(_HEADER, identity, offset)


def parse_header(head):
    """(id, offset) of a header."""
    return struct.unpack(_HEADER, head)

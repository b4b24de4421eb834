"""House time over UDP: the four-stamp exchange (RFC 5905 section 8, figure 15).

Request, 16 bytes                        Reply, 32 bytes
    0  magic u16 = 0x4350 "PC"               0  magic u16
    2  kind u8 = 1                           2  kind u8 = 2
    3  sequence u8                           3  sequence u8, as asked
    4  token u32                             4  token u32, as asked
    8  t1 u32, asker's ticks in us           8  t1 u32, as asked
    12 zero u32                              12 generation u32
                                             16 t2 u64, house time of arrival, us
                                             24 hold u32 = t3 - t2, us
                                             28 zero u32

The generation changes when the server's timeline is not the one it served before; a device then
drops its samples. The token keeps replies meant for another boot or another board out.
"""

import struct

from . import const

MAGIC = const(0x4350)
REQUEST = const(1)
REPLY = const(2)
REQUEST_BYTES = const(16)
REPLY_BYTES = const(32)

_REQUEST = "<HBBIII"
_REPLY = "<HBBIIIQII"


def pack_request_into(buffer, sequence, token, t1):
    """Write a request into a buffer of at least 16 bytes."""
    struct.pack_into(_REQUEST, buffer, 0, MAGIC, REQUEST, sequence, token, t1, 0)


def parse_request(data):
    """(sequence, token, t1), or None for anything that is not a request."""
    if len(data) != REQUEST_BYTES:
        return None
    magic, kind, sequence, token, t1, _ = struct.unpack(_REQUEST, data)
    if magic != MAGIC or kind != REQUEST:
        return None
    return sequence, token, t1


def pack_reply_into(buffer, sequence, token, t1, generation, t2, hold):
    """Write a reply into a buffer of at least 32 bytes; see `reply`."""
    struct.pack_into(_REPLY, buffer, 0, MAGIC, REPLY, sequence, token, t1, generation, t2, hold, 0)


def reply(sequence, token, t1, generation, t2, hold):
    """A reply's 32 bytes; `t2` in house microseconds, `hold` the time spent in the server."""
    return struct.pack(_REPLY, MAGIC, REPLY, sequence, token, t1, generation, t2, hold, 0)


def parse_reply(buffer, length):
    """(sequence, token, t1, generation, t2, hold), or None for anything that is not a reply."""
    if length != REPLY_BYTES:
        return None
    magic, kind, sequence, token, t1, generation, t2, hold, _ = struct.unpack_from(
        _REPLY, buffer, 0
    )
    if magic != MAGIC or kind != REPLY:
        return None
    return sequence, token, t1, generation, t2, hold

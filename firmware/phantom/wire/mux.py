"""Frames of the multiplexed TCP link: several channels share one connection.

    0        1        2                 4
    +--------+--------+-----------------+----------------------------+
    |channel | flags  | length (u16)    | payload (0 to MAX_PAYLOAD) |
    +--------+--------+-----------------+----------------------------+

A lower channel number is sent first when several wait. Each channel has its own window: a sender
may have sent at most as many payload bytes on a channel, counted from the connection's start, as
the receiver's latest WINDOW for it allows. LINK itself has no window.

LINK payloads start with a message type:

    HELLO    type u8, protocol u8, role u8, id length u8, boot u32, installation 8 bytes,
             nonce 16 bytes, id UTF-8
    PING     type u8, pad 3, nonce u32
    PONG     type u8, pad 3, nonce u32        (the nonce comes back)
    WINDOW   type u8, channel u8, pad 2, limit u32 (cumulative payload bytes, modulo 2**32)
    GOODBYE  type u8, reason u8
    AUTH     type u8, pad 3, MAC 16 bytes     (see phantom.handshake)
"""

import struct

from . import PROTOCOL, const

HEADER_BYTES = const(4)
MAX_PAYLOAD = const(2048)

LINK = const(0)
RPC = const(1)
AUDIO = const(2)
BULK = const(3)
CHANNELS = const(4)

# The message goes on in the next frame of the same channel.
MORE = const(1)

# Payload bytes a peer may send on each channel before its first WINDOW. AUDIO opens with a stream.
INITIAL_WINDOW = (0, 4096, 0, 4096)  # MESSAGE_WINDOW but for LINK and AUDIO
# A message of several frames may not grow beyond this; the connection is closed when it does. A
# board has a buffer of this size for each peer: longer answers come in pages.
MAX_MESSAGE = const(2560)
# What a receiver of messages keeps open beyond what it has received.
MESSAGE_WINDOW = const(4096)

HELLO = const(1)
PING = const(2)
PONG = const(3)
WINDOW = const(4)
GOODBYE = const(5)
AUTH = const(6)

ROLE_DEVICE = const(1)
ROLE_BOX = const(2)
ROLE_CLIENT = const(3)

REASON_SHUTDOWN = const(1)
REASON_PROTOCOL = const(2)  # the peer speaks another protocol version
REASON_MALFORMED = const(3)  # a frame broke the rules above
REASON_REPLACED = const(4)  # a newer connection of the same box took over
REASON_STRANGER = const(5)  # of another installation, or without its key, or not in time
REASON_CROWDED = const(6)  # as many peers as the device can serve are there already

_HEADER = "<BBH"
_HELLO = "<BBBBI8s16s"
_AUTH = "<B3x16s"
_WINDOW = "<BBHI"
_PING = "<B3xI"
HELLO_BYTES = const(32)  # before the id
NONCE_BYTES = const(16)
AUTH_BYTES = const(20)
WINDOW_BYTES = const(8)
MAX_ID_BYTES = const(32)


class MalformedFrame(ValueError):
    """A peer sent bytes that the layout does not allow; the connection can't go on."""

    kind = "malformed"  # as it is counted


class OversizedFrame(MalformedFrame):
    """A frame or a message is larger than allowed, or goes over its window."""

    kind = "oversized"


def header(channel, length, flags=0):
    """The 4 bytes before a payload of `length` bytes."""
    return struct.pack(_HEADER, channel, flags, length)


def pack_header_into(buffer, offset, channel, length, flags=0):
    """Write a header in place: for senders that keep one buffer."""
    struct.pack_into(_HEADER, buffer, offset, channel, flags, length)


def frame(channel, payload, flags=0):
    """A whole frame, header and payload."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError("payload of %d bytes is over %d" % (len(payload), MAX_PAYLOAD))
    return struct.pack(_HEADER, channel, flags, len(payload)) + bytes(payload)


def frames(channel, message):
    """A message as one or more frames, all but the last marked MORE."""
    if len(message) > MAX_MESSAGE:
        raise ValueError("message of %d bytes is over %d" % (len(message), MAX_MESSAGE))
    out = []
    at = 0
    while len(message) - at > MAX_PAYLOAD:
        out.append(frame(channel, message[at : at + MAX_PAYLOAD], MORE))
        at += MAX_PAYLOAD
    out.append(frame(channel, message[at:]))
    return out


def hello(role, identity, boot, installation=b"\0" * 8, nonce=b"\0" * NONCE_BYTES):
    """LINK payload that opens a connection. `identity` is the sender's id, at most 32 bytes."""
    name = identity.encode()
    if len(name) > MAX_ID_BYTES:
        raise ValueError("id %r is over %d bytes" % (identity, MAX_ID_BYTES))
    fixed = struct.pack(_HELLO, HELLO, PROTOCOL, role, len(name), boot, installation, nonce)
    return fixed + name


def parse_hello(payload):
    """(protocol, role, id, boot, installation, nonce) of a HELLO payload."""
    if len(payload) < HELLO_BYTES:
        raise MalformedFrame("hello of %d bytes is too short" % len(payload))
    _, protocol, role, size, boot, installation, nonce = struct.unpack_from(_HELLO, payload, 0)
    if size > MAX_ID_BYTES or len(payload) != HELLO_BYTES + size:
        raise MalformedFrame(
            "hello says an id of %d bytes, has %d" % (size, len(payload) - HELLO_BYTES)
        )
    try:
        identity = bytes(payload[HELLO_BYTES:]).decode()
    except (UnicodeError, ValueError):
        raise MalformedFrame("hello id is not UTF-8")
    return protocol, role, identity, boot, installation, nonce


def auth(mac):
    """LINK payload that proves who sent the HELLO before."""
    return struct.pack(_AUTH, AUTH, mac)


def parse_auth(payload):
    """The MAC of an AUTH payload."""
    if len(payload) != AUTH_BYTES:
        raise MalformedFrame("auth of %d bytes" % len(payload))
    return struct.unpack_from(_AUTH, payload, 0)[1]


def window(channel, limit):
    """LINK payload granting `limit` cumulative payload bytes on `channel`."""
    return struct.pack(_WINDOW, WINDOW, channel, 0, limit & 0xFFFFFFFF)


def pack_window_into(buffer, offset, channel, limit):
    """Write a WINDOW payload in place."""
    struct.pack_into(_WINDOW, buffer, offset, WINDOW, channel, 0, limit & 0xFFFFFFFF)


def parse_window(payload):
    """(channel, limit) of a WINDOW payload."""
    if len(payload) != WINDOW_BYTES:
        raise MalformedFrame("window of %d bytes" % len(payload))
    _, channel, _, limit = struct.unpack_from(_WINDOW, payload, 0)
    if channel == LINK or channel >= CHANNELS:
        raise MalformedFrame("window for channel %d" % channel)
    return channel, limit


def ping(nonce):
    """LINK payload asking for a PONG with the same nonce."""
    return struct.pack(_PING, PING, nonce)


def pong(nonce):
    """LINK payload answering a PING."""
    return struct.pack(_PING, PONG, nonce)


def parse_nonce(payload):
    """The nonce of a PING or PONG payload."""
    if len(payload) != 8:
        raise MalformedFrame("ping of %d bytes" % len(payload))
    return struct.unpack_from("<I", payload, 4)[0]


def goodbye(reason):
    """LINK payload sent before closing on purpose."""
    return bytes((GOODBYE, reason))


def room(limit, sent):
    """Bytes that may still be sent, from two cumulative counts modulo 2**32."""
    left = (limit - sent) & 0xFFFFFFFF
    return 0 if left & 0x80000000 else left

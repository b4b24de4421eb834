"""Beacons: who is here, over UDP broadcast; one beacon is one datagram of at most 512 bytes.

    0  magic u16 = 0x4250 "PB"           28 role u8 (as in a link's HELLO)
    2  kind u8: 1 WHO, 2 HERE, 3 GOODBYE 29 flags u8
    3  protocol u8                       30 period u16, ms until it speaks again
    4  installation, 8 bytes             32 port u16 of its link, 0: none
    12 boot u32                          34 tail length u16
    16 sequence u32                      36 tail, UTF-8
    20 nonce, 8 bytes                       then MAC, 16 bytes, over all before it

The tail has four lines: id, name, addresses with commas between, services as `name:port` with
spaces between. The MAC is under the installation's key; devices without one use zeros, which
proves nothing but that the datagram is whole. A WHO's nonce comes back in the HERE that answers.
"""

import struct

from phantom.keys import MAC_BYTES, mac, same

from . import PROTOCOL, const
from .mux import MAX_ID_BYTES, ROLE_CLIENT, ROLE_DEVICE

MAGIC = const(0x4250)
WHO = const(1)
HERE = const(2)
GOODBYE = const(3)

UNADOPTED = const(1)
FAULT = const(2)  # something is wrong with it
SERVES_TIME = const(4)  # it knows house time and answers on its service "clock"
SAFE_MODE = const(8)  # it runs the little that repairs it, and plays nothing
# The other four flags number what is wrong, with FAULT.
_REASON_SHIFT = const(4)
DAMAGED_CODE = "damaged-code"  # no code in flash is whole, or what is run is second choice
CRASH_LOOP = "crash-loop"  # it ended again and again before it had come up
WATCHDOG = "watchdog"  # likewise, and last because it stood still
FLASH_FULL = "flash-full"  # nothing can be kept any more
NO_FACTS = "no-facts"  # it does not know its pins
ASKED = "asked"  # somebody wanted safe mode
DAMAGED_CONFIG = "damaged-config"  # what its owner decided is lost, in part or whole
DAMAGED_SPARE = "damaged-spare"  # it plays, but what would save it is damaged
OTHER = "other"  # it says what itself: device.faults
REASONS = (
    "",
    DAMAGED_CODE,
    CRASH_LOOP,
    WATCHDOG,
    FLASH_FULL,
    NO_FACTS,
    ASKED,
    DAMAGED_CONFIG,
    DAMAGED_SPARE,
    OTHER,
)
_REASON_MASK = const(0xF0)

MAX_BYTES = const(512)
HEADER_BYTES = const(36)
NONCE_BYTES = const(8)
NO_NONCE = b"\0" * NONCE_BYTES

MAX_NAME_BYTES = const(64)
# A box with cable and Wi-Fi has two of each family; the rest are a router's or a tunnel's.
MAX_ADDRESSES = const(6)
MAX_ADDRESS_CHARS = const(45)  # the longest text of an IPv6 address
MAX_SERVICES = const(10)
MAX_SERVICE_CHARS = const(15)  # as DNS-SD has it: RFC 6335, section 5.1
_MAX_TAIL = const(460)

_HEADER = "<HBB8sII8sBBHHH"


def with_reason(flags, reason):
    """`flags` with FAULT and one of REASONS; without both if the reason is empty."""
    flags &= ~(_REASON_MASK | FAULT)
    if reason:
        known = reason if reason in REASONS else OTHER
        flags |= FAULT | REASONS.index(known) << _REASON_SHIFT
    return flags


def reason_of(flags):
    """The reason in a beacon's flags, one of REASONS; empty if nothing is wrong."""
    if not flags & FAULT:
        return ""
    number = flags >> _REASON_SHIFT
    return REASONS[number] if 0 < number < len(REASONS) else OTHER


def tail(identity, name, addresses, services):
    """The beacon's variable part. Names too long are cut, surplus addresses and services left out.

    `services` is a dict of ports by name. Raises ValueError for an id that can't travel.
    """
    if not identity or len(identity.encode()) > MAX_ID_BYTES or not _printable(identity):
        raise ValueError("id %r: use 1 to %d printable bytes" % (identity, MAX_ID_BYTES))
    name = _cut("".join(c if c >= " " else " " for c in name), MAX_NAME_BYTES)
    known = " ".join("%s:%d" % (key, services[key]) for key in sorted(services)[:MAX_SERVICES])
    text = "%s\n%s\n%s\n%s" % (identity, name, ",".join(addresses[:MAX_ADDRESSES]), known)
    packed = text.encode()
    if parse_tail(packed) is None:
        raise ValueError("addresses or services of %s can't travel in a beacon" % identity)
    return packed


def pack(kind, me, sequence, nonce, flags, period_ms, packed_tail):
    """A whole beacon (bytearray). `me` has installation, key, boot, role and port."""
    at = HEADER_BYTES + len(packed_tail)
    out = bytearray(at + MAC_BYTES)
    struct.pack_into(
        _HEADER,
        out,
        0,
        MAGIC,
        kind,
        PROTOCOL,
        me.installation,
        me.boot,
        sequence,
        nonce,
        me.role,
        flags,
        period_ms,
        me.port,
        len(packed_tail),
    )
    out[HEADER_BYTES:at] = packed_tail
    out[at:] = mac(me.key, memoryview(out)[:at])
    return out


def parse(data):
    """The fields of a beacon, or None for anything that is not one; the MAC is not looked at.

    (kind, protocol, installation, boot, sequence, nonce, role, flags, period_ms, port, tail bytes)
    """
    size = len(data)
    if size < HEADER_BYTES + MAC_BYTES or size > MAX_BYTES:
        return None
    fields = struct.unpack_from(_HEADER, data, 0)
    if fields[0] != MAGIC or not WHO <= fields[1] <= GOODBYE:
        return None
    if not ROLE_DEVICE <= fields[7] <= ROLE_CLIENT:
        return None
    if size != HEADER_BYTES + fields[11] + MAC_BYTES:
        return None
    return fields[1:11] + (bytes(data[HEADER_BYTES : size - MAC_BYTES]),)


def authentic(data, key):
    """Whether the MAC of a datagram that `parse` took is one under `key`."""
    at = len(data) - MAC_BYTES
    view = memoryview(data)
    return same(mac(key, view[:at]), view[at:])


def parse_tail(packed):
    """(id, name, addresses, services) or None if it breaks a rule above."""
    if len(packed) > _MAX_TAIL:
        return None
    try:
        lines = bytes(packed).decode().split("\n")
    except ValueError:  # UnicodeError is one
        return None
    if len(lines) != 4:
        return None
    identity, name, listed, offered = lines
    if not identity or not (_printable(identity) and _printable(name) and _printable(offered)):
        return None
    if len(identity.encode()) > MAX_ID_BYTES or len(name.encode()) > MAX_NAME_BYTES:
        return None
    addresses = listed.split(",") if listed else []
    if len(addresses) > MAX_ADDRESSES or not all(_is_address(text) for text in addresses):
        return None
    services = _services(offered)
    return None if services is None else (identity, name, addresses, services)


def identity_of(packed):
    """The id in a tail that `parse` gave, without reading the rest; None if there is none."""
    end = packed.find(b"\n")
    if not 0 < end <= MAX_ID_BYTES:
        return None
    try:
        return packed[:end].decode()
    except ValueError:
        return None


def _services(text):
    services = {}
    for entry in text.split(" ") if text else ():
        name, colon, port = entry.partition(":")
        # Five digits at most: a longer number is none, however int() would read it.
        if not (colon and name and len(name) <= MAX_SERVICE_CHARS and 0 < len(port) <= 5):
            return None
        if not all("0" <= c <= "9" for c in port) or not 1 <= int(port) <= 65535:
            return None
        services[name] = int(port)
    return services if len(services) <= MAX_SERVICES else None


def _is_address(text):
    if not 0 < len(text) <= MAX_ADDRESS_CHARS:
        return False
    return all(c in "0123456789abcdefABCDEF.:" for c in text)


def _printable(text):
    return all(c >= " " and c != "\x7f" for c in text)


def _cut(text, size):
    while len(text.encode()) > size:
        text = text[:-1]
    return text

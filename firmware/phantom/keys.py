"""Proof that a peer knows a key: HMAC-SHA256 (RFC 2104), on boards that have no `hmac` module.

A board's `hashlib` has sha256 and nothing around it, and its hash objects can't be copied, so
both pads are hashed anew each time: four blocks for a beacon, some 0.2 ms on an ESP32.
"""

from hashlib import sha256

from .wire import const

KEY_BYTES = const(32)
# What travels: 128 bits are beyond guessing, and every byte of a broadcast counts.
MAC_BYTES = const(16)
_BLOCK = const(64)

# The pads of the key used last: a house has one, and they cost as much as all the rest.
_padded = None
_inner = _outer = b""


def hmac_sha256(key, *parts):
    """The 32-byte HMAC-SHA256 of the parts, one after another, under `key` (bytes)."""
    global _padded, _inner, _outer
    if key != _padded:
        _inner, _outer = _pads(key)
        _padded = bytes(key)
    inner = sha256(_inner)
    for part in parts:
        inner.update(part)
    outer = sha256(_outer)
    outer.update(inner.digest())
    return outer.digest()


def _pads(key):
    if len(key) > _BLOCK:
        key = sha256(key).digest()
    inner = bytearray(_BLOCK)
    outer = bytearray(_BLOCK)
    for i in range(_BLOCK):
        octet = key[i] if i < len(key) else 0
        inner[i] = octet ^ 0x36
        outer[i] = octet ^ 0x5C
    return inner, outer


def mac(key, *parts):
    """The first MAC_BYTES of the HMAC: what beacons and handshakes carry."""
    return hmac_sha256(key, *parts)[:MAC_BYTES]


def same(a, b):
    """Whether two MACs are equal, in a time that does not tell where they differ."""
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0

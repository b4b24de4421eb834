"""`esp32.NVS`: i32 and blobs by namespace and key, in the nvs partition of the flash.

Held as two snapshots in turn, each half of the partition: a layout of the emulator's own, with
which a power cut leaves the old or the new one. Nothing is in flash before commit().
"""

import struct
from binascii import crc32

from _flash import SECTOR, Region
from _partitions import find

_MAGIC = b"PHNV"
_HEADER = "<4sIII"  # magic, number of the snapshot, bytes, CRC of what follows
_HEADER_BYTES = 16
_NAME_BYTES = 15
_I32 = 0
_BLOB = 1

_values = None  # {(namespace, key): int or bytes}; shared by all handles
_number = 0
_device = None
_half = 0


def _error(code, name):
    raise OSError(-code, name)


def _not_found():
    _error(0x1102, "ESP_ERR_NVS_NOT_FOUND")


def _open():
    global _device, _half, _values
    if _values is None:
        nvs = find(1, 2)
        if not nvs:
            _error(0x1101, "ESP_ERR_NVS_NOT_INITIALIZED")
        _, _, start, size, _, _ = nvs[0]
        _device = Region(start, start + size)
        _half = size // SECTOR // 2
        _values = {}
        for block in (0, _half):
            _load(block)


def _load(block):
    global _number, _values
    head = bytearray(_HEADER_BYTES)
    _device.readblocks(block, head, 0)
    magic, number, size, crc = struct.unpack(_HEADER, head)
    if magic != _MAGIC or size > _half * SECTOR - _HEADER_BYTES or number < _number:
        return
    body = bytearray(size)
    _device.readblocks(block, body, _HEADER_BYTES)
    if crc32(body) == crc:
        _number = number
        _values = _unpacked(body)


def _unpacked(body):
    values = {}
    at = 0
    while at < len(body):
        kind, ns_size, key_size, size = struct.unpack_from("<BBBH", body, at)
        at += 5
        ns = body[at : at + ns_size].decode()
        at += ns_size
        key = body[at : at + key_size].decode()
        at += key_size
        value = bytes(body[at : at + size])
        at += size
        values[ns, key] = struct.unpack("<i", value)[0] if kind == _I32 else value
    return values


def _packed():
    parts = []
    for (ns, key), value in _values.items():
        kind = _BLOB
        if isinstance(value, int):
            kind, value = _I32, struct.pack("<i", value)
        parts.append(struct.pack("<BBBH", kind, len(ns), len(key), len(value)))
        parts.append(ns.encode() + key.encode() + value)
    return b"".join(parts)


def _save():
    global _number
    body = _packed()
    if len(body) > _half * SECTOR - _HEADER_BYTES:
        _error(0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")
    number = _number + 1
    block = number % 2 * _half
    content = struct.pack(_HEADER, _MAGIC, number, len(body), crc32(body)) + body
    for sector in range(-(-len(content) // SECTOR)):
        _device.ioctl(6, block + sector)
        _device.writeblocks(block + sector, content[sector * SECTOR : (sector + 1) * SECTOR], 0)
    _number = number


class NVS:
    """ports/esp32/esp32_nvs.c: a handle to a namespace."""

    def __init__(self, namespace):
        if not 0 < len(namespace) <= _NAME_BYTES:
            _error(0x1106, "ESP_ERR_NVS_INVALID_NAME")
        _open()
        self._namespace = namespace

    def __repr__(self):
        return "<NVS namespace>"

    def _key(self, key):
        if len(key) > _NAME_BYTES:
            _error(0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")
        if not key:
            _error(0x1106, "ESP_ERR_NVS_INVALID_NAME")
        return self._namespace, key

    def _get(self, key, kind):
        value = _values.get(self._key(key))
        if not isinstance(value, kind):
            _not_found()
        return value

    def set_i32(self, key, value):
        if not -(1 << 31) <= value < 1 << 31:
            raise OverflowError("overflow converting long int to machine word")
        _values[self._key(key)] = value

    def get_i32(self, key):
        return self._get(key, int)

    def set_blob(self, key, value):
        _values[self._key(key)] = bytes(value)

    def get_blob(self, key, buffer):
        """Fill `buffer`; returns how long the value is."""
        value = self._get(key, bytes)
        if len(value) > len(buffer):
            _error(0x110C, "ESP_ERR_NVS_INVALID_LENGTH")
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        if _values.pop(self._key(key), None) is None:
            _not_found()

    def commit(self):
        _save()

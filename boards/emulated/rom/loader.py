"""The serial loader of an ESP32's mask ROM, and the stub that a tool runs in its place.

Bytes in, bytes out: no port, no time. Framing, commands and replies are those that Espressif
documents in esptool's "Serial Protocol"; what the stub does otherwise is after esp-flasher-stub.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from boards.emulated.rom import slip
from boards.emulated.rom.chips import Chip
from boards.emulated.rom.flash import FlashFile, FlashRangeError
from boards.emulated.rom.flashing import Begin, Write
from boards.emulated.rom.reading import Reading
from boards.emulated.rom.refusals import Reason, Refused
from boards.emulated.rom.registers import Registers
from boards.image.espimage import exclusive_or
from boards.image.partitions import MIB, SECTOR

_SYNC = b"\x07\x07\x12\x20" + 32 * b"\x55"
_SYNC_FRAME = re.compile(b"\xc0\x00\x08\\x24\x00.{4}" + re.escape(_SYNC) + b"\xc0", re.DOTALL)
SYNC_BYTES = 1 + 8 + len(_SYNC) + 1
_SYNC_REPLIES = 8
# The ROM's answer to a command that it doesn't know comes this often, with 0 for the command.
_UNKNOWN_REPLIES = 8
_ROM_VALUE = 0x20120707  # in the reply to SYNC; the stub says 0
_GREETING = b"OHAI"
_CHECKSUM_SEED = 0xEF
_DATA_HEADER = 16
_SLOW_READ = 64
# Until SPI_SET_PARAMS says otherwise the ROM takes the flash to be this large.
_ASSUMED_FLASH = 4 * MIB

OPS = {
    "flash-begin": 0x02,
    "flash-data": 0x03,
    "flash-end": 0x04,
    "mem-begin": 0x05,
    "mem-end": 0x06,
    "mem-data": 0x07,
    "sync": 0x08,
    "write-reg": 0x09,
    "read-reg": 0x0A,
    "set-params": 0x0B,
    "attach": 0x0D,
    "read-slow": 0x0E,
    "baud": 0x0F,
    "defl-begin": 0x10,
    "defl-data": 0x11,
    "defl-end": 0x12,
    "md5": 0x13,
    "security-info": 0x14,
    "erase-flash": 0xD0,
    "erase-region": 0xD1,
    "read-flash": 0xD2,
    "run-user-code": 0xD3,
}
_STUB_ONLY = {"erase-flash", "erase-region", "read-flash", "run-user-code"}
_ROM_ONLY = {"read-slow"}
_NAMES = {op: name for name, op in OPS.items()}


@dataclass(frozen=True)
class Trouble:
    """What goes wrong on the line, before the `nth` packet of command `op` is dealt with.

    "silence": the chip says no more. "drop": the line is gone; see `RomLoader.dropped`.
    """

    kind: Literal["silence", "drop"]
    op: str
    nth: int = 1


@dataclass(frozen=True)
class _Reply:
    value: int = 0
    body: bytes = b""
    after: bytes = b""  # what follows the reply, framed


def is_sync(data: bytes) -> bool:
    """Whether a SYNC packet is in `data`: some tool wants the loader. It is SYNC_BYTES long."""
    return from_sync(data) is not None


def from_sync(data: bytes) -> bytes | None:
    """`data` from the first SYNC packet on: what was sent before was not meant for the loader."""
    found = _SYNC_FRAME.search(data)
    return data[found.start() :] if found else None


def checksum(data: bytes) -> int:
    """The loader's checksum of a block: all bytes, exclusive-ored."""
    return _CHECKSUM_SEED ^ exclusive_or(data)


class RomLoader:
    """The loader from its start, after a reset into download mode, until `leave` is set.

    `leave` says with which strapping the chip wants to be reset: "run" boots from the flash. A
    reset of the chip is a new RomLoader. `mac` is six bytes. With `modem_lines` a tool resets the
    chip by DTR and RTS, and the register it writes before that resets nothing.
    """

    def __init__(
        self,
        chip: Chip,
        flash: FlashFile,
        mac: bytes,
        modem_lines: bool = False,
        trouble: Trouble | None = None,
    ) -> None:
        self._chip = chip
        self.flash = flash
        self._mac = mac
        self._modem_lines = modem_lines
        self._silent = False
        self.befall(trouble)
        self.dropped = False
        self.leave: Literal["run", "download"] | None = None
        self._decoder = slip.Decoder()
        self._restart()

    def _restart(self) -> None:
        self.stub = False
        # A tool that asks the stub for a restart of the loader means the chip to stay there.
        self.stays = False
        self._registers = Registers(self._chip, self.flash, self._mac)
        self._attached = False
        self._flash_end = min(self.flash.size, _ASSUMED_FLASH)
        self._memory_left: int | None = None
        self._uploaded = 0
        self._write: Write | None = None
        self._reading: Reading | None = None
        self._owed: Reason | None = None

    def befall(self, trouble: Trouble | None) -> None:
        """Let this go wrong, counted from now on."""
        self._trouble = trouble
        self._seen = 0

    def reopened(self) -> None:
        """A tool opened the port anew, on a line that can't reset the chip.

        Where it can, the tool would do so now: the loader is as after a reset.
        """
        self._restart()

    def feed(self, data: bytes) -> bytes:
        """What the chip answers to `data`, which may hold any piece of the conversation."""
        replies = bytearray()
        for packet in self._decoder.feed(data):
            if self._strikes(packet):
                break
            if self._reading is not None:
                replies += self._reading.acknowledged(packet)
                if self._reading.done:
                    self._reading = None
            else:
                replies += self._command(packet)
        return bytes(replies)

    def _strikes(self, packet: bytes) -> bool:
        trouble = self._trouble
        if trouble is not None and packet[1:2] == bytes((OPS[trouble.op],)):
            self._seen += 1
            if self._seen == trouble.nth:
                self._silent = trouble.kind == "silence"
                self.dropped = trouble.kind == "drop"
        return self._silent or self.dropped

    def _command(self, packet: bytes) -> bytes:
        if len(packet) < 8 or (packet[0] != 0 and not self.stub):
            return b""
        direction, op, size, check = struct.unpack_from("<BBHI", packet)
        data = packet[8:]
        name = _NAMES.get(op, "")
        status = b"\0\0" if self.stub else b"\0\0\0\0"
        if direction != 0 or name in (_ROM_ONLY if self.stub else _STUB_ONLY):
            name = ""
        if name == "security-info" and not self._chip.has_security_info:
            name = ""
        handler = _HANDLERS.get(name)
        try:
            if size != len(data):
                raise Refused(Reason.BAD_LENGTH)
            if handler is None:
                raise Refused(Reason.UNKNOWN)
            if self._owed is not None:
                raise Refused(self._owed)
            reply = handler(self, data, check)
        except Refused as refused:
            self._owed = None
            return self._refusal(op, refused.reason)
        if name == "run-user-code":
            return b""
        count = _SYNC_REPLIES if name == "sync" else 1
        return count * self._frame(op, reply.value, reply.body + status) + reply.after

    def _refusal(self, op: int, reason: Reason) -> bytes:
        if self.stub:
            return self._frame(op, 0, reason.stub_status)
        if reason is Reason.UNKNOWN:
            return _UNKNOWN_REPLIES * self._frame(0, 0, reason.rom_status)
        return self._frame(op, 0, reason.rom_status)

    @staticmethod
    def _frame(op: int, value: int, body: bytes) -> bytes:
        return slip.encode(struct.pack("<BBHI", 1, op, len(body), value) + body)

    # Commands. Each takes the packet's data and its checksum field.

    def _sync(self, data: bytes, _: int) -> _Reply:
        if data != _SYNC:
            raise Refused(Reason.BAD_LENGTH)
        return _Reply(0 if self.stub else _ROM_VALUE)

    def _security_info(self, data: bytes, _: int) -> _Reply:
        _words(data, 0)
        # flags, crypt count, seven key purposes, chip, API: no fuse is blown.
        return _Reply(body=struct.pack("<I8xII", 0, self._chip.image_id, 0))

    def _read_reg(self, data: bytes, _: int) -> _Reply:
        return _Reply(self._registers.read(*_words(data, 1)))

    def _write_reg(self, data: bytes, _: int) -> _Reply:
        if not data or len(data) % 16:
            raise Refused(Reason.BAD_LENGTH)
        armed = self._registers.watchdog_armed
        for address, value, mask, _delay in struct.iter_unpack("<IIII", data):
            self._registers.write(address, value, mask, self._attached)
            if address == self._chip.force_download and not self._modem_lines:
                self.leave = "run"
        # The watchdog bites milliseconds after it was armed: time for the tool to lock it again.
        if armed:
            self.leave = "run"
        return _Reply()

    def _mem_begin(self, data: bytes, _: int) -> _Reply:
        size, blocks, block_size, _offset = _words(data, 4)
        if size > blocks * block_size:
            raise Refused(Reason.BAD_LENGTH)
        self._memory_left = size
        return _Reply()

    def _mem_data(self, data: bytes, check: int) -> _Reply:
        block = _block(data, check)
        if self._memory_left is None:
            raise Refused(Reason.NOT_BEGUN)
        if len(block) > self._memory_left:
            raise Refused(Reason.TOO_MUCH)
        self._memory_left -= len(block)
        self._uploaded += len(block)
        return _Reply()

    def _mem_end(self, data: bytes, _: int) -> _Reply:
        _stay, entry = _words(data, 2)
        if self._memory_left is None:
            raise Refused(Reason.NOT_BEGUN)
        if self._memory_left or not self._uploaded:
            raise Refused(Reason.FAILED)
        self._memory_left = None
        if entry == 0:
            return _Reply()
        # Whatever a tool uploads and starts is taken to be its stub, which attaches the flash.
        self.stub = self._attached = True
        return _Reply(after=slip.encode(_GREETING))

    def _attach(self, data: bytes, _: int) -> _Reply:
        _words(data, 1 if self.stub else 2)
        self._attached = True
        return _Reply()

    def _set_params(self, data: bytes, _: int) -> _Reply:
        size = _words(data, 6)[1]
        self._flash_end = min(self.flash.size, size)
        return _Reply()

    def _change_baud(self, data: bytes, _: int) -> _Reply:
        _words(data, 2)
        return _Reply()

    def _flash_begin(self, data: bytes, check: int) -> _Reply:
        return self._begin(data, compressed=False)

    def _defl_begin(self, data: bytes, check: int) -> _Reply:
        return self._begin(data, compressed=True)

    def _begin(self, data: bytes, compressed: bool) -> _Reply:
        words = (4, 5) if self.stub else (self._chip.begin_words,)
        if len(data) // 4 not in words:
            raise Refused(Reason.BAD_LENGTH)
        size, blocks, block_size, offset = _words(data, len(data) // 4)[:4]
        if not self._attached:
            raise Refused(Reason.FAILED)
        begin = Begin(size, blocks, block_size, offset)
        self._write = Write(self.flash, begin, self._flash_end, compressed, self.stub)
        return _Reply()

    def _data(self, data: bytes, check: int) -> _Reply:
        write = self._write
        if self.stub and write is None:
            raise Refused(Reason.NOT_BEGUN)
        block = _block(data, check)
        if write is None:
            raise Refused(Reason.NOT_BEGUN)
        if not self.stub:
            write.block(block)
            return _Reply()
        # A compressed stream ends with four bytes of its own checksum.
        if write.compressed and write.complete and len(block) > 4:
            raise Refused(Reason.TOO_MUCH)
        # The stub answers first and writes then; what goes wrong it says to the next command.
        try:
            write.block(block)
        except Refused as refused:
            self._owed = refused.reason
        return _Reply()

    def _flash_finish(self, data: bytes, _: int) -> _Reply:
        (run,) = _words(data, 1)
        write = self._write
        if not self.stub:
            self.leave = "run"
            return _Reply()
        if write is None:
            raise Refused(Reason.NOT_BEGUN)
        if not write.complete:
            raise Refused(Reason.BAD_LENGTH)
        self._write = None
        if run == 0:
            self._restart()
            self.stays = True
        return _Reply()

    def _md5(self, data: bytes, _: int) -> _Reply:
        offset, count = _words(data, 4)[:2]
        digest = hashlib.md5(self._read(offset, count), usedforsecurity=False)
        return _Reply(body=digest.digest() if self.stub else digest.hexdigest().encode())

    def _read_slow(self, data: bytes, _: int) -> _Reply:
        offset, count = _words(data, 2)
        if count > _SLOW_READ:
            raise Refused(Reason.READ_LENGTH)
        return _Reply(body=self._read(offset, count).ljust(_SLOW_READ, b"\0"))

    def _read_flash(self, data: bytes, _: int) -> _Reply:
        offset, count, packet, _window = _words(data, 4)
        if not 0 < packet <= SECTOR:
            self._owed = Reason.BAD_LENGTH
            return _Reply()
        self._reading = Reading(self._read(offset, count), packet)
        return _Reply(after=self._reading.first())

    def _read(self, offset: int, count: int) -> bytes:
        if not self._attached:
            raise Refused(Reason.READ)
        try:
            return self.flash.read(offset, count)
        except FlashRangeError as error:
            raise Refused(Reason.READ) from error

    def _erase_flash(self, data: bytes, _: int) -> _Reply:
        return self._erase(0, self.flash.size)

    def _erase_region(self, data: bytes, _: int) -> _Reply:
        offset, count = _words(data, 2)
        if offset % SECTOR or count % SECTOR:
            raise Refused(Reason.BAD_LENGTH)
        return self._erase(offset, count)

    def _erase(self, offset: int, count: int) -> _Reply:
        if not self._attached:
            raise Refused(Reason.FAILED)
        try:
            self.flash.erase(offset, count)
        except FlashRangeError as error:
            raise Refused(Reason.FAILED) from error
        return _Reply()

    def _run_user_code(self, data: bytes, _: int) -> _Reply:
        self.leave = "run"
        return _Reply()


def _words(data: bytes, count: int) -> tuple[int, ...]:
    """The parameters of a command that has `count` of them."""
    if len(data) != 4 * count:
        raise Refused(Reason.BAD_LENGTH)
    return struct.unpack(f"<{count}I", data)


def _block(data: bytes, check: int) -> bytes:
    """The payload of a DATA command: size, number, two unused words, then that many bytes."""
    if len(data) < _DATA_HEADER:
        raise Refused(Reason.BAD_LENGTH)
    block = data[_DATA_HEADER:]
    if struct.unpack_from("<I", data)[0] != len(block):
        raise Refused(Reason.BAD_LENGTH)
    if checksum(block) != check:
        raise Refused(Reason.CHECKSUM)
    return block


_HANDLERS: dict[str, Callable[[RomLoader, bytes, int], _Reply]] = {
    name: getattr(RomLoader, method)
    for name, method in (
        ("flash-begin", "_flash_begin"),
        ("flash-data", "_data"),
        ("flash-end", "_flash_finish"),
        ("mem-begin", "_mem_begin"),
        ("mem-end", "_mem_end"),
        ("mem-data", "_mem_data"),
        ("sync", "_sync"),
        ("write-reg", "_write_reg"),
        ("read-reg", "_read_reg"),
        ("set-params", "_set_params"),
        ("attach", "_attach"),
        ("read-slow", "_read_slow"),
        ("baud", "_change_baud"),
        ("defl-begin", "_defl_begin"),
        ("defl-data", "_data"),
        ("defl-end", "_flash_finish"),
        ("md5", "_md5"),
        ("security-info", "_security_info"),
        ("erase-flash", "_erase_flash"),
        ("erase-region", "_erase_region"),
        ("read-flash", "_read_flash"),
        ("run-user-code", "_run_user_code"),
    )
}

"""What the loader does when it is told to: its commands, as the ROM and as the stub."""

from __future__ import annotations

import hashlib
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

SYNC = b"\x07\x07\x12\x20" + 32 * b"\x55"
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


@dataclass(frozen=True)
class Reply:
    """value: the reply's 32-bit field. body: before its status. after: what follows it, framed."""

    value: int = 0
    body: bytes = b""
    after: bytes = b""


class Commands:
    """The loader's state from a reset on, and its commands by name (OPS)."""

    def __init__(self, chip: Chip, flash: FlashFile, mac: bytes, modem_lines: bool) -> None:
        self._chip = chip
        self._flash = flash
        self._mac = mac
        self._modem_lines = modem_lines
        self.leave: Literal["run", "download"] | None = None
        self.leave_by = "software"  # the kind of reset, of boot.RESETS
        self.restart()

    def restart(self) -> None:
        """Begin anew, as the ROM."""
        self.stub = False
        # A tool that asks the stub for a restart of the loader means the chip to stay there.
        self.stays = False
        self.reading: Reading | None = None
        # What the stub has to refuse, but for its answer, which was sent before.
        self.owed: Reason | None = None
        self._registers = Registers(self._chip, self._flash, self._mac)
        self._attached = False
        self._flash_end = min(self._flash.size, _ASSUMED_FLASH)
        self._memory_left: int | None = None
        self._uploaded = 0
        self._write: Write | None = None

    def knows(self, name: str) -> bool:
        """Whether there is a command of this name now."""
        if name == "security-info" and not self._chip.has_security_info:
            return False
        return name in _HANDLERS and name not in (_ROM_ONLY if self.stub else _STUB_ONLY)

    def carry_out(self, name: str, data: bytes, check: int) -> Reply:
        """Do it. `check` is the packet's checksum field. Raises Refused."""
        return _HANDLERS[name](self, data, check)

    def _sync(self, data: bytes, _: int) -> Reply:
        if data != SYNC:
            raise Refused(Reason.BAD_LENGTH)
        return Reply(0 if self.stub else _ROM_VALUE)

    def _security_info(self, data: bytes, _: int) -> Reply:
        _words(data, 0)
        # flags, crypt count, seven key purposes, chip, API: no fuse is blown.
        return Reply(body=struct.pack("<I8xII", 0, self._chip.image_id, 0))

    def _read_reg(self, data: bytes, _: int) -> Reply:
        return Reply(self._registers.read(*_words(data, 1)))

    def _write_reg(self, data: bytes, _: int) -> Reply:
        if not data or len(data) % 16:
            raise Refused(Reason.BAD_LENGTH)
        armed = self._registers.watchdog_armed
        for address, value, mask, _delay in struct.iter_unpack("<IIII", data):
            self._registers.write(address, value, mask, self._attached)
            if address == self._chip.force_download and not self._modem_lines:
                self.leave, self.leave_by = "run", "power"
        # The watchdog bites milliseconds after it was armed: time for the tool to lock it again.
        if armed:
            self.leave, self.leave_by = "run", "watchdog"
        return Reply()

    def _mem_begin(self, data: bytes, _: int) -> Reply:
        size, blocks, block_size, _offset = _words(data, 4)
        if size > blocks * block_size:
            raise Refused(Reason.BAD_LENGTH)
        self._memory_left = size
        return Reply()

    def _mem_data(self, data: bytes, check: int) -> Reply:
        block = _block(data, check)
        if self._memory_left is None:
            raise Refused(Reason.NOT_BEGUN)
        if len(block) > self._memory_left:
            raise Refused(Reason.TOO_MUCH)
        self._memory_left -= len(block)
        self._uploaded += len(block)
        return Reply()

    def _mem_end(self, data: bytes, _: int) -> Reply:
        _stay, entry = _words(data, 2)
        if self._memory_left is None:
            raise Refused(Reason.NOT_BEGUN)
        if self._memory_left or not self._uploaded:
            raise Refused(Reason.FAILED)
        self._memory_left = None
        if entry == 0:
            return Reply()
        # Whatever a tool uploads and starts is taken to be its stub, which attaches the flash.
        self.stub = self._attached = True
        return Reply(after=slip.encode(_GREETING))

    def _attach(self, data: bytes, _: int) -> Reply:
        _words(data, 1 if self.stub else 2)
        self._attached = True
        return Reply()

    def _set_params(self, data: bytes, _: int) -> Reply:
        size = _words(data, 6)[1]
        self._flash_end = min(self._flash.size, size)
        return Reply()

    def _change_baud(self, data: bytes, _: int) -> Reply:
        _words(data, 2)
        return Reply()

    def _flash_begin(self, data: bytes, check: int) -> Reply:
        return self._begin(data, compressed=False)

    def _defl_begin(self, data: bytes, check: int) -> Reply:
        return self._begin(data, compressed=True)

    def _begin(self, data: bytes, compressed: bool) -> Reply:
        words = (4, 5) if self.stub else (self._chip.begin_words,)
        if len(data) // 4 not in words:
            raise Refused(Reason.BAD_LENGTH)
        size, blocks, block_size, offset = _words(data, len(data) // 4)[:4]
        if not self._attached:
            raise Refused(Reason.FAILED)
        begin = Begin(size, blocks, block_size, offset)
        self._write = Write(self._flash, begin, self._flash_end, compressed, self.stub)
        return Reply()

    def _data(self, data: bytes, check: int) -> Reply:
        write = self._write
        if self.stub and write is None:
            raise Refused(Reason.NOT_BEGUN)
        block = _block(data, check)
        if write is None:
            raise Refused(Reason.NOT_BEGUN)
        if not self.stub:
            write.block(block)
            return Reply()
        # A compressed stream ends with four bytes of its own checksum.
        if write.compressed and write.complete and len(block) > 4:
            raise Refused(Reason.TOO_MUCH)
        # The stub answers first and writes then; what goes wrong it says to the next command.
        try:
            write.block(block)
        except Refused as refused:
            self.owed = refused.reason
        return Reply()

    def _flash_finish(self, data: bytes, _: int) -> Reply:
        (run,) = _words(data, 1)
        write = self._write
        if not self.stub:
            self.leave = "run"
            return Reply()
        if write is None:
            raise Refused(Reason.NOT_BEGUN)
        if not write.complete:
            raise Refused(Reason.BAD_LENGTH)
        self._write = None
        if run == 0:
            self.restart()
            self.stays = True
        return Reply()

    def _md5(self, data: bytes, _: int) -> Reply:
        offset, count = _words(data, 4)[:2]
        digest = hashlib.md5(self._read(offset, count), usedforsecurity=False)
        return Reply(body=digest.digest() if self.stub else digest.hexdigest().encode())

    def _read_slow(self, data: bytes, _: int) -> Reply:
        offset, count = _words(data, 2)
        if count > _SLOW_READ:
            raise Refused(Reason.READ_LENGTH)
        return Reply(body=self._read(offset, count).ljust(_SLOW_READ, b"\0"))

    def _read_flash(self, data: bytes, _: int) -> Reply:
        offset, count, packet, _window = _words(data, 4)
        if not 0 < packet <= SECTOR:
            self.owed = Reason.BAD_LENGTH
            return Reply()
        self.reading = Reading(self._read(offset, count), packet)
        return Reply(after=self.reading.first())

    def _read(self, offset: int, count: int) -> bytes:
        if not self._attached:
            raise Refused(Reason.READ)
        try:
            return self._flash.read(offset, count)
        except FlashRangeError as error:
            raise Refused(Reason.READ) from error

    def _erase_flash(self, data: bytes, _: int) -> Reply:
        return self._erase(0, self._flash.size)

    def _erase_region(self, data: bytes, _: int) -> Reply:
        offset, count = _words(data, 2)
        if offset % SECTOR or count % SECTOR:
            raise Refused(Reason.BAD_LENGTH)
        return self._erase(offset, count)

    def _erase(self, offset: int, count: int) -> Reply:
        if not self._attached:
            raise Refused(Reason.FAILED)
        try:
            self._flash.erase(offset, count)
        except FlashRangeError as error:
            raise Refused(Reason.FAILED) from error
        return Reply()

    def _run_user_code(self, data: bytes, _: int) -> Reply:
        self.leave = "run"
        return Reply()


def checksum(data: bytes) -> int:
    """The loader's checksum of a block: all bytes, exclusive-ored."""
    return _CHECKSUM_SEED ^ exclusive_or(data)


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


_HANDLERS: dict[str, Callable[[Commands, bytes, int], Reply]] = {
    name: getattr(Commands, method)
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

"""The serial loader of an ESP32's mask ROM, and the stub that a tool runs in its place.

Bytes in, bytes out: no port, no time. Framing, commands and replies are those that Espressif
documents in esptool's "Serial Protocol"; what the stub does otherwise is after esp-flasher-stub.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal

from boards.emulated.rom import slip
from boards.emulated.rom.chips import Chip
from boards.emulated.rom.commands import OPS, SYNC, Commands
from boards.emulated.rom.flash import FlashFile
from boards.emulated.rom.refusals import Reason, Refused

_SYNC_FRAME = re.compile(b"\xc0\x00\x08\\x24\x00.{4}" + re.escape(SYNC) + b"\xc0", re.DOTALL)
SYNC_BYTES = 1 + 8 + len(SYNC) + 1
_SYNC_REPLIES = 8
# The ROM's answer to a command that it doesn't know comes this often, with 0 for the command.
_UNKNOWN_REPLIES = 8
_NAMES = {op: name for name, op in OPS.items()}


@dataclass(frozen=True)
class Trouble:
    """What goes wrong on the line, before the `nth` packet of command `op` is dealt with.

    "silence": the chip says no more. "drop": the line is gone; see `RomLoader.dropped`.
    """

    kind: Literal["silence", "drop"]
    op: str  # of commands.OPS
    nth: int = 1


def is_sync(data: bytes) -> bool:
    """Whether a SYNC packet is in `data`: some tool wants the loader. It is SYNC_BYTES long."""
    return from_sync(data) is not None


def from_sync(data: bytes) -> bytes | None:
    """`data` from the first SYNC packet on: what was sent before was not meant for the loader."""
    found = _SYNC_FRAME.search(data)
    return data[found.start() :] if found else None


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
        self.flash = flash
        self.dropped = False
        self._silent = False
        self._decoder = slip.Decoder()
        self._commands = Commands(chip, flash, mac, modem_lines)
        self.befall(trouble)

    @property
    def leave(self) -> Literal["run", "download"] | None:
        """What the chip wants to be reset into; None while the loader goes on."""
        return self._commands.leave

    @property
    def leave_by(self) -> str:
        """By what kind of reset it leaves, of boot.RESETS."""
        return self._commands.leave_by

    @property
    def stub(self) -> bool:
        """Whether a tool's stub answers."""
        return self._commands.stub

    @property
    def stays(self) -> bool:
        """Whether a tool has asked for the loader to go on when the tool is gone."""
        return self._commands.stays

    def befall(self, trouble: Trouble | None) -> None:
        """Let this go wrong, counted from now on."""
        self._trouble = trouble
        self._seen = 0

    def reopened(self) -> None:
        """A tool opened the port anew, on a line that can't reset the chip.

        Where it can, the tool would do so now: the loader is as after a reset.
        """
        self._commands.restart()

    def feed(self, data: bytes) -> bytes:
        """What the chip answers to `data`, which may hold any piece of the conversation."""
        replies = bytearray()
        for packet in self._decoder.feed(data):
            if self._strikes(packet):
                break
            reading = self._commands.reading
            if reading is None:
                replies += self._command(packet)
                continue
            replies += reading.acknowledged(packet)
            if reading.done:
                self._commands.reading = None
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
        commands = self._commands
        if len(packet) < 8 or (packet[0] != 0 and not commands.stub):
            return b""
        direction, op, size, check = struct.unpack_from("<BBHI", packet)
        data = packet[8:]
        name = _NAMES.get(op, "")
        status = b"\0\0" if commands.stub else b"\0\0\0\0"
        try:
            if size != len(data):
                raise Refused(Reason.BAD_LENGTH)
            if direction != 0 or not commands.knows(name):
                raise Refused(Reason.UNKNOWN)
            if commands.owed is not None:
                owed, commands.owed = commands.owed, None
                raise Refused(owed)
            reply = commands.carry_out(name, data, check)
        except Refused as refused:
            return self._refusal(op, refused.reason)
        if name == "run-user-code":
            return b""
        count = _SYNC_REPLIES if name == "sync" else 1
        return count * _frame(op, reply.value, reply.body + status) + reply.after

    def _refusal(self, op: int, reason: Reason) -> bytes:
        if self._commands.stub:
            return _frame(op, 0, reason.stub_status)
        if reason is Reason.UNKNOWN:
            return _UNKNOWN_REPLIES * _frame(0, 0, reason.rom_status)
        return _frame(op, 0, reason.rom_status)


def _frame(op: int, value: int, body: bytes) -> bytes:
    return slip.encode(struct.pack("<BBHI", 1, op, len(body), value) + body)

"""A chip on a pseudo-terminal, with nothing but its mask ROM and its flash.

    python -m boards.emulated.rom.bare flash.bin --chip esp32s3

makes flash.bin if it isn't there, prints the port, and serves until it is ended.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import select
import sys
import termios
import threading
import time
import tty
from pathlib import Path

from boards.emulated.rom.chips import CHIPS, Chip
from boards.emulated.rom.flash import FlashFile
from boards.emulated.rom.loader import Trouble
from boards.emulated.rom.mask_rom import MaskRom
from boards.image.partitions import MIB

# Tools close a port and open it again; one that stays closed this long they are done with.
_CLOSED_SECONDS = 0.3
_POLL_SECONDS = 0.05
_CHIP_SIZES = tuple(n * MIB for n in (1, 2, 4, 8, 16))


MAC = bytes.fromhex("7cdfa1a0b1c2")


class BareChip:
    """A chip that waits for tools at `port`; `trouble` befalls the next one that comes.

    with BareChip(CHIPS["esp32"], flash) as chip:
        subprocess.run(["esptool", "--port", chip.port, "flash-id"])
    """

    def __init__(self, chip: Chip, flash: FlashFile, mac: bytes = MAC) -> None:
        self.chip = chip
        self.flash = flash
        self._rom = MaskRom(chip, flash, mac)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(slave)
        os.close(slave)  # so that the master hears when the last tool closes it

    def __enter__(self) -> BareChip:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Power on."""
        self._thread.start()

    def stop(self) -> None:
        """Power off; the port is gone."""
        self._ended.set()
        self._thread.join(5)

    @property
    def boots(self) -> int:
        """How often something started that the flash holds."""
        return self._rom.boots

    @property
    def line_bytes(self) -> int:
        """How much went over the line, both ways, while the loader ran."""
        return self._rom.line_bytes

    @property
    def dropped(self) -> bool:
        """Whether the line is gone, as `trouble` wanted."""
        return self._rom.dropped

    @property
    def trouble(self) -> Trouble | None:
        """What is to befall the next tool."""
        return self._rom.trouble

    @trouble.setter
    def trouble(self, trouble: Trouble | None) -> None:
        self._rom.trouble = trouble

    def _serve(self) -> None:
        try:
            self._say(self._rom.reset("run"))
            self._relay()
        finally:
            os.close(self._master)

    def _relay(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        closed_at: float | None = None
        while not self._ended.is_set():
            events = poll.poll(_POLL_SECONDS * 1000)
            if events and events[0][1] & select.POLLHUP:
                if closed_at is None:
                    closed_at = time.monotonic()
                    self._forget()
                if time.monotonic() > closed_at + _CLOSED_SECONDS:
                    self._rom.closed()
                self._ended.wait(_POLL_SECONDS)
                continue
            if closed_at:
                self._rom.reopened()
                closed_at = None
            if events:
                self._say(self._rom.received(self._read()))
            if self._rom.dropped:
                return
            self._say(self._rom.passed())

    def _forget(self) -> None:
        # What the last tool left unread would be the next one's.
        slave = os.open(self.port, os.O_RDWR | os.O_NOCTTY)
        termios.tcflush(slave, termios.TCIFLUSH)
        os.close(slave)

    def _read(self) -> bytes:
        try:
            return os.read(self._master, 65536)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EAGAIN):
                return b""
            raise

    def _say(self, data: bytes) -> None:
        # What nobody reads is lost, as on a line.
        poll = select.poll()
        poll.register(self._master, select.POLLOUT)
        while data and not self._ended.is_set():
            events = poll.poll(1000)
            if not events or events[0][1] & select.POLLHUP:
                return
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._master, data) :]


def main() -> int:
    """Serve one chip until the process is ended; returns the exit status."""
    parser = argparse.ArgumentParser(description="A bare chip on a pseudo-terminal.")
    parser.add_argument("flash", type=Path, help="the flash's content; made if it isn't there")
    parser.add_argument("--chip", choices=sorted(CHIPS), default="esp32")
    arguments = parser.parse_args()
    path: Path = arguments.flash
    try:
        flash = FlashFile(path) if path.exists() else FlashFile.blank(path)
        if flash.size not in _CHIP_SIZES:
            raise ValueError(f"{flash.size:,} bytes, and flash chips have 1, 2, 4, 8 or 16 MB")
    except OSError as fault:
        print(f"{path}: {fault.strerror}: name a file that can be written", file=sys.stderr)
        return 2
    except ValueError as fault:
        print(f"{path}: {fault}: name another file", file=sys.stderr)
        return 2
    with BareChip(CHIPS[arguments.chip], flash) as chip:
        print(chip.port, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())

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
import threading
import time
import tty
from pathlib import Path

from boards.emulated.rom.boot import boot_image, boot_log
from boards.emulated.rom.chips import CHIPS, Chip
from boards.emulated.rom.flash import FlashFile
from boards.emulated.rom.loader import SYNC_BYTES, RomLoader, Trouble, is_sync

# Tools close a port and open it again; one that stays closed this long they are done with.
_CLOSED_SECONDS = 0.3
_POLL_SECONDS = 0.05
# A chip with nothing to boot says so this often.
_LOOP_SECONDS = 1.0
MAC = bytes.fromhex("7cdfa1a0b1c2")


class BareChip:
    """A chip that waits for tools at `port`; `trouble` befalls the next tool that comes.

        with BareChip(CHIPS["esp32"], flash) as chip:
            subprocess.run(["esptool", "--port", chip.port, "flash-id"])

    `boots` counts how often its flash held something that starts.
    """

    def __init__(self, chip: Chip, flash: FlashFile, mac: bytes = MAC) -> None:
        self.chip = chip
        self.flash = flash
        self.trouble: Trouble | None = None
        self.boots = 0
        self._mac = mac
        self._loader: RomLoader | None = None
        self._recent = b""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port = ""
        self._master = -1
        self._open()

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
        self._thread.join(2)
        if self._master >= 0:
            os.close(self._master)

    def _open(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(slave)
        os.close(slave)  # so that the master hears when the last tool closes it

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        self._reset("power", "run")
        closed_at: float | None = None
        said_at = time.monotonic()
        while not self._ended.is_set():
            events = poll.poll(_POLL_SECONDS * 1000)
            now = time.monotonic()
            if events and events[0][1] & select.POLLHUP:
                closed_at = closed_at or now
                if self._loader and not self._loader.stays and now > closed_at + _CLOSED_SECONDS:
                    self._reset("power", "run")
                self._ended.wait(_POLL_SECONDS)
                continue
            if closed_at and self._loader:
                self._loader.reopened()
                self._befall(self._loader)
            closed_at = None
            if events:
                self._received(self._read())
            if self._loader and self._loader.dropped:
                return self._drop()
            if self._loader is None and now > said_at + _LOOP_SECONDS:
                said_at = now
                self._boot("watchdog")
        return None

    def _received(self, data: bytes) -> None:
        if self._loader is None:
            # Nobody listens on the line, but for a tool that wants the loader.
            self._recent = (self._recent + data)[-4 * SYNC_BYTES :]
            if not is_sync(self._recent):
                return
            data, self._recent = self._recent, b""
            self._reset("power", "download")
        loader = self._loader
        assert loader is not None
        self._say(loader.feed(data))
        if loader.leave:
            self._reset("software", loader.leave)

    def _reset(self, why: str, strap: str) -> None:
        self._loader = None
        if strap == "download":
            # The ROM said that it waits before anybody listened.
            self._loader = RomLoader(self.chip, self.flash, self._mac)
            self._befall(self._loader)
        else:
            self._boot(why)

    def _boot(self, why: str) -> None:
        result = boot_image(self.flash, self.chip)
        if result.ok and why != "watchdog":
            self.boots += 1
        if not result.ok or why != "watchdog":
            self._say((boot_log(self.chip, why) + result.message).encode())

    def _befall(self, loader: RomLoader) -> None:
        loader.befall(self.trouble)
        self.trouble = None

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

    def _drop(self) -> None:
        os.close(self._master)
        self._master = -1


def main() -> None:
    """Serve one chip until the process is ended."""
    parser = argparse.ArgumentParser(description="A bare chip on a pseudo-terminal.")
    parser.add_argument("flash", type=Path, help="the flash's content; made if it isn't there")
    parser.add_argument("--chip", choices=sorted(CHIPS), default="esp32")
    arguments = parser.parse_args()
    path: Path = arguments.flash
    flash = FlashFile(path) if path.exists() else FlashFile.blank(path)
    with BareChip(CHIPS[arguments.chip], flash) as chip:
        print(chip.port, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()

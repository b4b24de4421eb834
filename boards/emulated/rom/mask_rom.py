"""A chip that runs nothing but its mask ROM: what comes in on its line, what goes out."""

from __future__ import annotations

import time

from boards.emulated.rom.boot import boot_image, boot_log, download_log
from boards.emulated.rom.chips import Chip
from boards.emulated.rom.flash import FlashFile
from boards.emulated.rom.loader import SYNC_BYTES, RomLoader, Trouble, from_sync

# A chip with nothing to boot says so this often.
_LOOP_SECONDS = 1.0


class MaskRom:
    """A chip from one reset to the next. Methods return what it says.

    `trouble` befalls the next tool that comes; `boots` counts how often something started that the
    flash holds; `line_bytes` how much went over the line, both ways, while the loader ran.
    """

    def __init__(
        self, chip: Chip, flash: FlashFile, mac: bytes, modem_lines: bool = False
    ) -> None:
        self.chip = chip
        self.flash = flash
        self.trouble: Trouble | None = None
        self.boots = 0
        self.line_bytes = 0
        self._mac = mac
        self._modem_lines = modem_lines
        self._loader: RomLoader | None = None
        self._recent = b""
        self._said_at = 0.0

    @property
    def downloading(self) -> bool:
        """Whether the loader runs."""
        return self._loader is not None

    @property
    def dropped(self) -> bool:
        """Whether the line is gone."""
        return self._loader is not None and self._loader.dropped

    def reset(self, strap: str, why: str = "power") -> bytes:
        """Start the chip, "run" or "download", after a reset of kind `why` (boot.RESETS)."""
        self._loader = None
        if strap == "download":
            self._enter()
            return download_log(self.chip, why).encode()
        self._said_at = time.monotonic()
        result = boot_image(self.flash, self.chip)
        self.boots += result.ok
        return (boot_log(self.chip, why) + result.message).encode()

    def received(self, data: bytes) -> bytes:
        """Hear what a tool sends."""
        if self._loader is None:
            # Nobody listens but for a tool that wants the loader, where no line can order it.
            self._recent = (self._recent + data)[-4 * SYNC_BYTES :]
            wanted = None if self._modem_lines else from_sync(self._recent)
            if wanted is None:
                return b""
            data, self._recent = wanted, b""
            # The ROM said that it waits before anybody listened.
            self._enter()
        loader = self._loader
        assert loader is not None
        answer = loader.feed(data)
        self.line_bytes += len(data) + len(answer)
        return answer + self.reset(loader.leave, loader.leave_by) if loader.leave else answer

    def reopened(self) -> None:
        """A tool opened the port anew."""
        if self._loader is not None:
            self._loader.reopened()
            self._befall(self._loader)

    def closed(self) -> bytes:
        """The tools are done with the port: where no line resets the chip, this does."""
        return b"" if self._loader is None or self._loader.stays else self.reset("run")

    def passed(self) -> bytes:
        """What the chip says as time passes: that it has nothing to boot, again and again."""
        if self._loader is not None or time.monotonic() < self._said_at + _LOOP_SECONDS:
            return b""
        self._said_at = time.monotonic()
        result = boot_image(self.flash, self.chip)
        return b"" if result.ok else (boot_log(self.chip, "watchdog") + result.message).encode()

    def _enter(self) -> None:
        self._loader = RomLoader(self.chip, self.flash, self._mac, self._modem_lines)
        self._befall(self._loader)

    def _befall(self, loader: RomLoader) -> None:
        loader.befall(self.trouble)
        self.trouble = None

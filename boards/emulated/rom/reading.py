"""Reading the flash through the stub: packets, each acknowledged by a total, then an MD5."""

from __future__ import annotations

import hashlib

from boards.emulated.rom import slip


class Reading:
    """One READ_FLASH of `content` in packets of `packet` bytes, one on its way at a time.

    Hosts ask for more at a time; the stub never gives it.
    """

    def __init__(self, content: bytes, packet: int) -> None:
        self._content = content
        self._packet = packet
        self._sent = 0
        self.done = False

    def first(self) -> bytes:
        """What follows the reply to the command."""
        return self._next() if self._content else self._digest()

    def acknowledged(self, packet: bytes) -> bytes:
        """What follows the host's word on how much it has; anything else ends the reading."""
        if len(packet) != 4:
            return self._digest()
        if self._sent < len(self._content):
            return self._next()
        return self._digest() if int.from_bytes(packet, "little") >= self._sent else b""

    def _next(self) -> bytes:
        piece = self._content[self._sent : self._sent + self._packet]
        self._sent += len(piece)
        return slip.encode(piece)

    def _digest(self) -> bytes:
        self.done = True
        sent = self._content[: self._sent]
        return slip.encode(hashlib.md5(sent, usedforsecurity=False).digest())

"""SLIP (RFC 1055) as the ROM loader frames it: 0xC0 before and after every packet."""

from __future__ import annotations

END = b"\xc0"
ESCAPE = b"\xdb"
_ESCAPED_END = b"\xdb\xdc"
_ESCAPED_ESCAPE = b"\xdb\xdd"

# The stub's largest packet is a block of 0x4000 bytes and its headers; nothing honest is longer.
MAX_PACKET = 0x8000


def encode(packet: bytes) -> bytes:
    """A packet, framed."""
    return END + packet.replace(ESCAPE, _ESCAPED_ESCAPE).replace(END, _ESCAPED_END) + END


class Decoder:
    """Packets out of a stream that comes in any pieces.

    What stands outside of a frame, what is escaped wrongly and what is too long is dropped, as a
    loader drops noise on its line.
    """

    def __init__(self) -> None:
        self._inside = False
        self._frame = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes."""
        packets: list[bytes] = []
        pieces = data.split(END)
        for i, piece in enumerate(pieces):
            if self._inside and len(self._frame) <= 2 * MAX_PACKET:
                self._frame += piece
            if i == len(pieces) - 1:
                break
            # A delimiter. Two in a row: the second one opens a frame, wherever the first one was.
            if not self._inside or not self._frame:
                self._inside = True
                continue
            packet = _unescape(bytes(self._frame))
            self._frame.clear()
            self._inside = False
            if packet is not None and len(packet) <= MAX_PACKET:
                packets.append(packet)
        return packets


def _unescape(frame: bytes) -> bytes | None:
    first, *others = frame.split(ESCAPE)
    packet = bytearray(first)
    for other in others:
        if other[:1] == b"\xdc":
            packet += END
        elif other[:1] == b"\xdd":
            packet += ESCAPE
        else:
            return None
        packet += other[1:]
    return bytes(packet)

"""The ring of a stand-in device: which chunks it holds, which it has played, what more may come.

It keeps numbers and bytes and no sound, and grants windows as a board does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from phantom.wire import CHUNK_FRAMES, RATE, audio

# A board without PSRAM: 256 ms of PCM16 stereo.
RING_BYTES = 48 * 1024
# A board tells a window that has moved by this many chunks.
GRANT_CHUNKS = 4


@dataclass
class Arrivals:
    """What one device got of the stream it plays."""

    chunks: int = 0
    missing: int = 0  # numbers jumped over
    repeated: int = 0
    slack_us: list[int] = field(default_factory=list[int])  # play time minus arrival, by chunk


class SinkRing:
    """A ring of `size` bytes. `stream` is what is open, 0 for nothing; `played` counts blocks."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.stream = 0
        self.played = 0
        self.arrivals = Arrivals()
        self._start_us = 0
        self._held: deque[tuple[int, int]] = deque()  # number and bytes of chunks not yet played
        self._used = 0
        self._took = 0  # bytes of the chunk that came last
        self._next = 0  # the chunk expected
        self._received = 0  # AUDIO payload bytes of this connection
        self._granted = 0
        self._fed = False  # on this connection

    @property
    def held_ms(self) -> int:
        """How much music is held."""
        return len(self._held) * CHUNK_FRAMES * 1000 // RATE

    @property
    def waits(self) -> bool:
        """A stream is open, and nothing of it has come."""
        return bool(self.stream and not self.played and not self._held)

    def connected(self) -> None:
        """A connection begins: nothing came by it, and nothing may."""
        self._received = self._granted = 0
        self._fed = False

    def open(self, stream: int, start_us: int, first_chunk: int) -> None:
        """Be fed a stream that begins at a house time; go on, if it is the one that was open."""
        if (stream, start_us) != (self.stream, self._start_us):
            self.arrivals = Arrivals()
            self.stream = stream
            self._start_us = start_us
            self._next = first_chunk
            self._held.clear()
            self._used = 0
            self.played = 0
        self._fed = True

    @property
    def wants(self) -> int:
        """The chunk expected next."""
        return self._next

    def take(self, message: bytes, now_us: int) -> int | None:
        """A message of AUDIO has come; the number of its chunk if that is kept."""
        self._received += len(message)
        stream, codec, _, number = audio.parse_header(message)
        if stream != self.stream:
            return None
        if codec & audio.REPLACE:
            self._truncate(number)
        if len(message) == audio.HEADER_BYTES:
            return None
        arrivals = self.arrivals
        arrivals.chunks += 1
        if number != self._next:
            if number < self._next:
                arrivals.repeated += 1
                return None
            arrivals.missing += number - self._next
        self._next = number + 1
        self._took = len(message)
        self._held.append((number, self._took))
        self._used += self._took
        play_us = self._start_us + number * CHUNK_FRAMES * 1_000_000 // RATE
        arrivals.slack_us.append(play_us - now_us)
        return number

    def _truncate(self, number: int) -> None:
        while self._held and self._held[-1][0] >= number:
            self._used -= self._held.pop()[1]
        self._next = min(self._next, number)

    def let_go(self, now_us: int) -> None:
        """What has been played by now makes room."""
        due = (now_us - self._start_us) * RATE // (CHUNK_FRAMES * 1_000_000)
        while self._held and self._held[0][0] < due:
            self._used -= self._held.popleft()[1]
            self.played += 1

    @property
    def fed(self) -> bool:
        """A stream is open, by this connection."""
        return bool(self.stream and self._fed)

    @property
    def tells(self) -> bool:
        """The window has moved by enough to be told."""
        return self._limit() - self._granted >= max(1, GRANT_CHUNKS * self._took)

    def grant(self) -> int:
        """The window's limit, which is told now: payload bytes since the connection began."""
        self._granted = self._limit()
        return self._granted

    def _limit(self) -> int:
        return self._received + self.size - self._used

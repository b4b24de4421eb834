"""The jitter buffer: whole AUDIO payloads of one stream, first in first out, in one bytearray.

A chunk is kept with its 8-byte header, so each may have a codec of its own. Numbers ascend; some
may be left out. A chunk takes exactly its bytes: one that begins near the end runs on into a
margin of one chunk behind it, and the next begins where it would, had the memory been a circle.

Who feeds it, a link or a producer on the board, does either of

    at = ring.place(head, size)     head: 8 bytes, as audio.header() makes; size: with the payload
    if at >= 0:
        ...                         put the payload into ring.memory from `at` on, in pieces or not
        ring.commit()

    ring.put(payload)               header and payload in one buffer

and stays within `free` bytes. Nothing is allocated after `__init__`.
"""

from micropython import const

from . import dsp
from .wire import audio

_HEAD = audio.HEADER_BYTES
# Chunk numbers stay small integers: below this, in the number's highest byte.
_TOP = const(0x3F)


class ChunkRing:
    """`size` bytes of chunks, with their headers."""

    def __init__(self, size):
        self.size = size & ~3  # samples stay aligned
        self.memory = bytearray(self.size + audio.MAX_CHUNK_BYTES)
        self.late = 0  # chunks that came after their turn, twice, or found no room
        self.open(0, 0)

    def open(self, stream, first):
        """Empty the ring for a stream that begins with chunk `first`."""
        self.stream = stream
        self.next = first  # the chunk the reader wants
        self.held = 0  # chunks waiting
        self.used = 0  # bytes they take
        self.codec = 0  # of the chunk taken last
        self.channels = 0
        self._at = 0  # where the oldest chunk begins
        self._first = 0  # its number
        self._end = first  # chunks before this one are here, or will not be taken any more
        self._placed = 0  # bytes of the chunk that is arriving
        self._placed_chunk = 0

    # Feeding

    @property
    def free(self):
        """Bytes that may be put in."""
        return self.size - self.used

    def place(self, head, size):
        """Where in `memory` to put the payload of a chunk of `size` bytes, or -1: it isn't wanted.

        If marked REPLACE, it takes the place of all that is buffered from its number on.
        """
        if head[0] | head[1] << 8 != self.stream or head[7] > _TOP:
            return -1
        chunk = head[4] | head[5] << 8 | head[6] << 16 | head[7] << 24
        if head[2] & audio.REPLACE:
            self._truncate(chunk)
            if size == _HEAD:
                return -1
        codec = head[2] & ~audio.REPLACE
        if size != audio.chunk_bytes(codec, head[3]):
            return -1
        if chunk < self.wants() or size > self.size - self.used:
            self.late += 1
            return -1
        at = self._at + self.used
        if at >= self.size:
            at -= self.size
        dsp.copy_bytes(self.memory, at, head, 0, _HEAD)
        self.memory[at + 2] = codec
        self._placed = size
        self._placed_chunk = chunk
        return at + _HEAD

    def commit(self):
        """The payload of the chunk that was placed is complete. False if its turn has passed."""
        size = self._placed
        chunk = self._placed_chunk
        self._placed = 0
        if not size or chunk < self.next:
            return False
        if not self.held:
            self._first = chunk
        self.held += 1
        self.used += size
        self._end = chunk + 1
        return True

    def put(self, payload):
        """Take in a chunk whole, header and payload. False if it isn't wanted."""
        size = len(payload)
        at = self.place(payload, size)
        if at < 0:
            return False
        dsp.copy_bytes(self.memory, at, payload, _HEAD, size - _HEAD)
        return self.commit()

    def wants(self):
        """The number of the first chunk that is neither here nor gone by."""
        return self._end if self._end > self.next else self.next

    def window(self, taken):
        """Cumulative AUDIO bytes the sender may have sent, `taken` of which have come in whole.

        What has arrived and is gone again makes room for as much.
        """
        return taken + self.size - self.used

    # Reading

    def ready(self):
        """Whether the next chunk is here."""
        return self.held > 0 and self._first == self.next

    def take(self):
        """Where the payload of the next chunk is, or -1 if it is missing; its turn is over.

        The memory stays valid until the next `place`; `codec` and `channels` say what is there.
        """
        chunk = self.next
        self.next = chunk + 1
        if not self.held or self._first != chunk:
            return -1
        at = self._at
        self.codec = self.memory[at + 2]
        self.channels = self.memory[at + 3]
        self._drop()
        return at + _HEAD

    def skip_to(self, chunk):
        """Let go of everything before `chunk`, which must not be behind the reader."""
        self.next = chunk
        if chunk >= self._end:
            self.held = 0
            self.used = 0
        while self.held and self._first < chunk:
            self._drop()

    # What they rest on

    def _drop(self):
        # The oldest chunk is over.
        size = self._bytes(self._at)
        self._at = self._after(self._at, size)
        self.held -= 1
        self.used -= size
        if self.held:
            self._first = self._number(self._at)

    def _truncate(self, chunk):
        # Let go of what is held from `chunk` on. Reads a header a chunk that stays.
        if chunk >= self._end:
            return
        at = self._at
        held = used = 0
        while held < self.held and self._number(at) < chunk:
            size = self._bytes(at)
            at = self._after(at, size)
            held += 1
            used += size
        self.held = held
        self.used = used
        self._end = chunk

    def _number(self, at):
        memory = self.memory
        return memory[at + 4] | memory[at + 5] << 8 | memory[at + 6] << 16 | memory[at + 7] << 24

    def _bytes(self, at):
        return audio.chunk_bytes(self.memory[at + 2], self.memory[at + 3])

    def _after(self, at, size):
        at += size
        return at - self.size if at >= self.size else at

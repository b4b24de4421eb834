"""The jitter buffer: chunks of one stream, by number, in one preallocated block of memory.

Chunk n lives in slot n modulo the slots there are. Chunks may be missing, come twice or come too
late; the reader asks for them in order. Nothing is allocated after `__init__`.
"""

from array import array

from micropython import const

from .wire import audio

_NONE = const(-1)


class ChunkRing:
    """`size` bytes of chunks."""

    def __init__(self, size):
        self.memory = bytearray(size)
        # The smallest payload decides how many slots there can be.
        most = size // audio.payload_bytes(audio.IMA_ADPCM, 1)
        self._holds = array("i", [_NONE] * most)
        self.slots = 0
        self.payload = 0
        self.next = 0  # the chunk the reader wants
        self.held = 0  # chunks waiting
        self.late = 0  # chunks that came after their turn, twice, or too early to hold

    def open(self, payload, first):
        """Empty the ring for a stream of `payload` bytes a chunk, beginning with chunk `first`."""
        self.payload = payload
        self.slots = len(self.memory) // payload
        for i in range(len(self._holds)):
            self._holds[i] = _NONE
        self.next = first
        self.held = 0

    def frame_bytes(self):
        """Bytes a chunk takes on the AUDIO channel."""
        return self.payload + audio.HEADER_BYTES

    def place(self, chunk):
        """Where in `memory` to put a chunk's payload, or -1 if it is not wanted."""
        ahead = chunk - self.next
        if ahead < 0 or ahead >= self.slots or self._holds[chunk % self.slots] == chunk:
            return -1
        return chunk % self.slots * self.payload

    def commit(self, chunk):
        """The payload placed for `chunk` is complete."""
        if not 0 <= chunk - self.next < self.slots:
            return False  # its turn passed while it was arriving
        self._holds[chunk % self.slots] = chunk
        self.held += 1
        return True

    def take(self):
        """The offset of the next chunk, or -1 if it is missing; either way its turn is over.

        The memory stays valid until the next `place`.
        """
        chunk = self.next
        slot = chunk % self.slots
        self.next = chunk + 1
        if self._holds[slot] != chunk:
            return -1
        self._holds[slot] = _NONE
        self.held -= 1
        return slot * self.payload

    def ready(self):
        """Whether the next chunk is here."""
        return self.slots > 0 and self._holds[self.next % self.slots] == self.next

    def wants(self):
        """The number of the first chunk, from the reader's on, that is not here."""
        chunk = self.next
        end = chunk + self.slots
        while chunk < end and self._holds[chunk % self.slots] == chunk:
            chunk += 1
        return chunk

    def skip_to(self, chunk):
        """Let go of everything before `chunk`, which must not be behind the reader."""
        if chunk - self.next >= self.slots:
            self.open(self.payload, chunk)
            return
        while self.next < chunk:
            self.take()

    def window(self, received):
        """Cumulative AUDIO bytes the sender may have sent, having sent `received` so far.

        What has arrived and is gone again makes room for as much.
        """
        return received + (self.slots - self.held) * self.frame_bytes()

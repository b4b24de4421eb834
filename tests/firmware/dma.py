"""A DAC in virtual time: ESP-IDF's ring of descriptors, written down a second time for the tests.

`now` is in thirds of a microsecond, so that 48 kHz blocks are whole numbers.
"""

PERIOD = 16000


class VirtualI2S:
    """`descriptors` deep, running since time 0."""

    def __init__(self, descriptors):
        self.now = 0
        self.n = descriptors
        self.content = [None] * descriptors  # what a slot will play; None: never written
        self.free = []
        self.boundaries = 0
        self.played = []  # (time, bytes or None) of every descriptor that began to play
        self._begin(0)

    def _begin(self, k):
        self.played.append((k * PERIOD, self.content[k % self.n]))

    def advance(self, now):
        """Let time pass to `now`."""
        self.now = now
        while (self.boundaries + 1) * PERIOD <= now:
            slot = self.boundaries % self.n
            self.content[slot] = None
            if len(self.free) == self.n - 1:
                self.free.pop(0)
            self.free.append(slot)
            self.boundaries += 1
            self._begin(self.boundaries)

    def write(self, block):
        """1024 if taken, 0 if the ring is full."""
        self.advance(self.now)
        if not self.free:
            return 0
        slot = self.free.pop(0)
        self.content[slot] = bytes(block)
        return len(block)

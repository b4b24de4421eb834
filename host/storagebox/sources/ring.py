"""The shared-memory ring that carries canonical PCM from a source's process to the streamer.

One process writes, one reads; nobody waits for a lock of the other's, so a source that dies or
hangs in the middle of anything leaves the box unharmed. The memory is a memfd that the source's
process inherits: it has no name, so nothing is left behind whoever is killed, in any order.

    box                                     source process
    ring = PcmRing.create(4.0)
    spawn(..., pass_fds=[ring.fd])    →     ring = PcmRing.attach(fd)
    generation = ring.flush()         →     ring.begin(generation)
                                            ring.write(frames, timeout_s)
    ring.available, ring.read_into(out)     ring.end()

**Generations.** Each `flush` starts a new generation: what was in the ring is forgotten at once,
and whatever the source still writes for an older generation is refused (`StaleGenerationError`),
so the reader never hears a frame of the track that was playing before.

**Counters.** The shared words are 32-bit counts of frames, modulo 2**32, each written by one side
only. An aligned 32-bit store cannot be torn on any CPU that Phantom runs on, which a 64-bit one
can (32-bit ARM); a ring is far shorter than 2**31 frames, so differences are exact. Each side
extends its own count to a Python int: `position` and `written` never wrap.

**Order.** Frames must be visible before the count that announces them. Python has no fence, but
POSIX requires lock operations to synchronise memory (XBD 4.12), so releasing and taking a
private lock is one.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from phantom.wire import RATE

CHANNELS = 2
FRAME_BYTES = 2 * CHANNELS

Frames = NDArray[np.int16]
"""Canonical PCM: shape (frames, 2), int16, 48000 frames a second."""

_MAGIC = 0x52494E47
_MASK = 0xFFFFFFFF
_HEADER_BYTES = 4096  # one page, so that the frames start on one

# Words of the header, as indices of uint32. The two sides' words lie on different cache lines.
_WORD_MAGIC = 0
_WORD_WRITTEN = 32  # writer: frames written since the ring was made
_WORD_START = 33  # writer: `written` when its generation began
_WORD_GENERATION = 34  # writer: whose frames these are
_WORD_ENDED = 35  # writer: the generation that is complete
_WORD_READ = 64  # reader: frames read or discarded since the ring was made
_WORD_WANTED = 65  # reader: the generation it wants

# A writer that waits for room sleeps about as long as the reader needs to make it: often enough
# to notice a flush soon, seldom enough to cost nothing.
_NAP_MIN_S = 0.002
_NAP_MAX_S = 0.1


class StaleGenerationError(Exception):
    """The reader has flushed the ring: it no longer wants what is being written."""


class PcmRing:
    """A ring of canonical PCM between two processes; see the module's text.

    Each side uses its own half of the methods: the reader `flush`, `available`, `read_into`,
    `position`, `ended`; the writer `begin`, `write`, `end`, `wanted`.
    """

    def __init__(self, fd: int) -> None:
        """Maps the ring behind `fd`, which the ring owns from now on. Use `create` or `attach`.

        Raises ValueError where `fd` is not a ring.
        """
        self.fd = fd
        size = os.fstat(fd).st_size
        if size <= _HEADER_BYTES:
            raise ValueError(f"file descriptor {fd} is not a PCM ring: it holds {size} bytes")
        self._map = mmap.mmap(fd, size)
        self._words = np.frombuffer(self._map, np.uint32, _HEADER_BYTES // 4)
        self._frames = np.frombuffer(self._map, np.int16, offset=_HEADER_BYTES).reshape(-1, 2)
        if int(self._words[_WORD_MAGIC]) != _MAGIC:
            raise ValueError(f"file descriptor {fd} is not a PCM ring: it starts otherwise")
        self._fence = threading.Lock()
        self._fence.acquire()
        self.capacity = len(self._frames)
        # Reader's side: whether it has found the beginning of the generation it wants.
        self._joined = False
        self._position = 0
        # Writer's side: frames of its generation.
        self._written = 0

    @classmethod
    def create(cls, seconds: float) -> PcmRing:
        """A new ring that holds at least `seconds` of sound (0 to 600), for the reader."""
        if not 0 < seconds <= 600:
            raise ValueError(f"a ring of {seconds} s is not sensible: ask for up to 600 s")
        # A power of two, so that `count % capacity` goes on evenly where the counts wrap.
        capacity = 1 << max(int(seconds * RATE) - 1, 1023).bit_length()
        fd = os.memfd_create("phantom-pcm")  # closed on exec unless handed over by pass_fds
        os.ftruncate(fd, _HEADER_BYTES + capacity * FRAME_BYTES)
        os.pwrite(fd, _MAGIC.to_bytes(4, sys.byteorder), 4 * _WORD_MAGIC)
        return cls(fd)

    @classmethod
    def attach(cls, fd: int) -> PcmRing:
        """The ring behind an inherited file descriptor, for the writer."""
        return cls(fd)

    # The reader's half

    def flush(self) -> int:
        """Forgets all frames and returns the number of the generation wanted from now on."""
        words = self._words
        generation = (int(words[_WORD_WANTED]) + 1) & _MASK or 1
        words[_WORD_WANTED] = generation
        words[_WORD_READ] = words[_WORD_WRITTEN]
        self._joined = False
        self._position = 0
        return generation

    @property
    def available(self) -> int:
        """Frames that can be read now. Costs a microsecond: made to be polled."""
        words = self._words
        if not self._joined and not self._join():
            return 0
        return (int(words[_WORD_WRITTEN]) - int(words[_WORD_READ])) & _MASK

    @property
    def position(self) -> int:
        """Frames read of this generation: the number of the next frame to be read."""
        return self._position

    @property
    def ended(self) -> bool:
        """True when the source has said that this generation is complete and all of it is read."""
        words = self._words
        complete = int(words[_WORD_ENDED]) == int(words[_WORD_WANTED]) != 0
        self._synchronise()  # complete first, then what is left: the other order would race
        return complete and self.available == 0

    def read_into(self, out: Frames) -> int:
        """Copies as many frames as there are, up to len(out), into `out`; returns how many."""
        count = min(self.available, len(out))
        if count == 0:
            return 0
        self._synchronise()
        read = int(self._words[_WORD_READ])
        at = read % self.capacity
        first = min(count, self.capacity - at)
        out[:first] = self._frames[at : at + first]
        out[first:count] = self._frames[: count - first]
        self._synchronise()
        self._words[_WORD_READ] = (read + count) & _MASK
        self._position += count
        return count

    def read(self, count: int) -> Frames:
        """Up to `count` frames in a new array."""
        out = np.empty((min(count, self.available), CHANNELS), np.int16)
        return out[: self.read_into(out)]

    # The writer's half

    @property
    def wanted(self) -> int:
        """The generation that the reader wants."""
        return int(self._words[_WORD_WANTED])

    @property
    def generation(self) -> int:
        """The generation that the writer has begun; 0 before the first."""
        return int(self._words[_WORD_GENERATION])

    @property
    def written(self) -> int:
        """Frames that this writer has written since its `begin` or, without one, its `attach`."""
        return self._written

    @property
    def room(self) -> int:
        """Frames that can be written now without waiting."""
        words = self._words
        return self.capacity - ((int(words[_WORD_WRITTEN]) - int(words[_WORD_READ])) & _MASK)

    def begin(self, generation: int) -> None:
        """Starts to write a generation.

        A writer that takes over from one that crashed leaves `begin` out and writes on.
        """
        words = self._words
        words[_WORD_START] = words[_WORD_WRITTEN]
        self._synchronise()
        words[_WORD_GENERATION] = generation
        self._written = 0

    def write(
        self,
        frames: Frames,
        timeout_s: float | None = None,
        wait: Callable[[float], object] = time.sleep,
    ) -> int:
        """Writes frames, waiting for room; returns how many: fewer than given after `timeout_s`.

        `wait(seconds)` is how it sleeps; a writer that takes orders passes its event's `wait`, so
        that an order wakes it. Raises StaleGenerationError when the reader has flushed.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        done = 0
        while True:
            if self.generation != self.wanted:
                raise StaleGenerationError
            count = min(self.room, len(frames) - done)
            if count:
                self._put(frames[done : done + count])
                done += count
            if done == len(frames):
                return done
            # The reader frees frames at the rate at which they sound.
            nap = min(len(frames) - done, self.capacity // 4) / RATE
            nap = min(max(nap, _NAP_MIN_S), _NAP_MAX_S)
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return done
                nap = min(nap, left)
            wait(nap)

    def end(self) -> None:
        """Says that the generation is complete."""
        self._synchronise()
        self._words[_WORD_ENDED] = self._words[_WORD_GENERATION]

    def close(self) -> None:
        """Lets go of the memory; it is freed when the other side has done so as well."""
        if self.fd < 0:
            return
        del self._words, self._frames  # views keep a map from closing
        self._map.close()
        os.close(self.fd)
        self.fd = -1

    def _put(self, frames: Frames) -> None:
        written = int(self._words[_WORD_WRITTEN])
        at = written % self.capacity
        first = min(len(frames), self.capacity - at)
        self._frames[at : at + first] = frames[:first]
        self._frames[: len(frames) - first] = frames[first:]
        self._synchronise()
        self._words[_WORD_WRITTEN] = (written + len(frames)) & _MASK
        self._written += len(frames)

    def _join(self) -> bool:
        """Finds the first frame of the wanted generation, once the writer has begun it."""
        words = self._words
        if int(words[_WORD_GENERATION]) != int(words[_WORD_WANTED]):
            return False
        self._synchronise()
        words[_WORD_READ] = words[_WORD_START]
        self._joined = True
        return True

    def _synchronise(self) -> None:
        self._fence.release()
        self._fence.acquire()

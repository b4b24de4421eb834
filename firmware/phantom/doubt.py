"""Beacons that are authentic and yet not to be believed: recordings, and devices with one id."""

import struct

from .peer import TICKS_MASK, since
from .wire import const

_CHALLENGE_MS = const(1000)
_TELL_MS = const(10000)
_MOST = const(8)  # of either kind at a time


class Doubts:
    """Who was asked to prove that it lives, and which conflicts have been told."""

    def __init__(self, random):
        self._random = random
        self._asked = []  # (id, nonce, ms)
        self._told = {}  # id: when its conflict was told last
        self._count = 0

    def clear(self):
        """Forget all."""
        self._asked = []
        self._told = {}

    def nonce(self):
        """8 bytes that no question of ours has held before."""
        self._count += 1
        return struct.pack("<II", self._random(TICKS_MASK) + 1, self._count)

    def challenge(self, identity, now_ms):
        """A nonce to ask this device with, or None: it was asked just now."""
        for entry in self._asked:
            if entry[0] == identity:
                if 0 <= since(now_ms, entry[2]) < _CHALLENGE_MS:
                    return None
                self._asked.remove(entry)
                break
        if len(self._asked) >= _MOST:
            self._asked.pop(0)
        nonce = self.nonce()
        self._asked.append((identity, nonce, now_ms))
        return nonce

    def answered(self, identity, nonce, now_ms):
        """Whether this is the answer to a challenge; each is good once."""
        for entry in self._asked:
            if entry[0] == identity and entry[1] == nonce:
                self._asked.remove(entry)
                return since(now_ms, entry[2]) < _CHALLENGE_MS
        return False

    def tell(self, identity, now_ms):
        """Whether a conflict over this id is to be told: not each time."""
        told = self._told.get(identity)
        if told is not None and 0 <= since(now_ms, told) < _TELL_MS:
            return False
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[identity] = now_ms
        return True

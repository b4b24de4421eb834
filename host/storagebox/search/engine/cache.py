"""What was computed of late, up to so many bytes of arrays."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """Values by keys; those that weren't asked for longest go first. Threads may share one."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._used = 0
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """The value under a key, if it is still there."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def clear(self) -> None:
        """Keep none."""
        with self._lock:
            self._values.clear()
            self._used = 0

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Keep a value of `size` bytes, unless it is too large to keep beside any other."""
        if size * 2 > self._most:
            return
        with self._lock:
            known = self._values.pop(key, None)
            self._used += size - (known[1] if known is not None else 0)
            self._values[key] = value, size
            while self._used > self._most:
                _, (_, gone) = self._values.popitem(last=False)
                self._used -= gone

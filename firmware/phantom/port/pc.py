"""A PC's hardware, where a board has `port.board`: a DAC made of a clock and a file.

The DAC is the same ring of descriptors as a board's I2S (docs/emulation.md), on the machine's
monotonic clock: what was not written in time goes out as silence. What goes out may be kept.
"""

import os
import sys
import time
import uuid
import wave
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

IPV6 = True
# The loop rests so long each turn: a PC has other things to do.
IDLE_MS = 1

_RATE = 48_000
_BLOCK = 1024  # 256 frames of 16-bit stereo
_PERIOD_X3_NS = 16_000_000  # three descriptors
_SILENCE = bytes(_BLOCK)
# A recording is whole up to the last second, however the program ends.
_SEAL_BLOCKS = 188
# The most that fits the sizes of a WAV file: 6 h.
_RECORDED_MAX = (1 << 32) - (1 << 16)


def identity() -> str:
    """The machine's own id as hex digits."""
    return f"{uuid.getnode():012x}"


def full_speed(hz: int) -> None:
    """A PC looks after that itself."""


def random32() -> int:
    """A number that another start or device does not have."""
    return int.from_bytes(os.urandom(4), "little")


def random_bytes(count: int) -> bytes:
    """Unguessable bytes."""
    return os.urandom(count)


def restart() -> None:
    """Start this program over."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, sys.orig_argv)


def recall() -> bytes | None:
    """A PC's file system needs no second home for its files."""
    return None


def keep(octets: bytes) -> None:
    """Nothing is kept: see recall."""
    del octets


def open_control(control: dict[str, Any]) -> tuple[Any, Any]:
    """A PC's sound card needs no setting up, and is behind no I2C. Raises ValueError."""
    raise ValueError(f"a PC has no I2C for {control.get('driver')}")


class Sink(Protocol):
    """Where sound goes."""

    def write(self, block: bytes) -> None:
        """Take the next 256 frames."""
        ...

    def close(self) -> None:
        """There will be no more."""
        ...


class Nowhere:
    """Nobody hears it."""

    def write(self, block: bytes) -> None:
        """Drop it."""

    def close(self) -> None:
        """Nothing to do."""


class Recording:
    """A WAV file of all that the DAC puts out, silence too. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115
        self._wave.setnchannels(2)
        self._wave.setsampwidth(2)
        self._wave.setframerate(_RATE)
        self._blocks = 0

    def write(self, block: bytes) -> None:
        """Append a block, unless the file is full."""
        if (self._blocks + 1) * _BLOCK > _RECORDED_MAX:
            return
        self._blocks += 1
        self._wave.writeframesraw(block)
        if self._blocks % _SEAL_BLOCKS == 0:
            self._wave.writeframes(b"")  # which puts the sizes right
            self._file.flush()

    def close(self) -> None:
        """Put the sizes right and close the file."""
        self._wave.close()
        self._file.close()


class NoDac:
    """Stands where a DAC would; a PC always has one."""

    def write(self, block: bytearray) -> int:
        """Take nothing."""
        return 0


class Dac:
    """`descriptors` deep, running from now on. It moves when it is asked."""

    def __init__(
        self, descriptors: int, sink: Sink, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._sink = sink
        self._now_ns = now_ns
        self._content: list[bytes | None] = [None] * descriptors
        self._free: deque[int] = deque(maxlen=descriptors - 1)  # the oldest is dropped
        self._played = 0  # descriptors that have gone out
        self.began_ns = now_ns()

    def write(self, block: bytearray) -> int:
        """1024 if taken, 0 if the ring is full."""
        self._advance()
        if not self._free:
            return 0
        self._content[self._free.popleft()] = bytes(block)
        return _BLOCK

    def _advance(self) -> None:
        passed = (self._now_ns() - self.began_ns) * 3 // _PERIOD_X3_NS
        while self._played < passed:
            slot = self._played % len(self._content)
            self._sink.write(self._content[slot] or _SILENCE)
            self._content[slot] = None
            self._free.append(slot)
            self._played += 1


def open_dac(dac: dict[str, Any]) -> tuple[Dac, int]:
    """(the DAC, number of its descriptors) of `descriptors` that writes to `sink`."""
    return Dac(dac["descriptors"], dac["sink"]), dac["descriptors"]


class Radio:
    """A PC's network, which others look after."""

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname

    def join(self, ssid: str | None, key: str | None) -> None:
        """Nothing to do."""

    def connected(self) -> bool:
        """Whoever discovers knows better."""
        return True

    def network(self) -> None:
        """Not asked: the host's registrar knows its addresses, of both families."""

    def rssi(self) -> None:
        """No strength is known."""

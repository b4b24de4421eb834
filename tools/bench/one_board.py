"""One board's firmware on stand-ins: a socket, a DAC and clocks made so that nothing is random.

For load.py, which counts what the firmware does. The stand-ins behave as a busy link and a full
ring of descriptors do; what they model is stated at each.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest import mock

from phantom.wire import CHUNK_FRAMES, RATE, audio, mux
from phantom.wire import clock as clock_wire

BLOCK_US = 1_000_000 * CHUNK_FRAMES / RATE
# What a room's turn consists of; a block is played as it is or trimmed.
RECEIVE, PLAIN, TRIMMED = PARTS = ("receive", "plain", "trimmed")

_WARM_BLOCKS, _BLOCKS = 30, 40
_PRELOADED_CHUNKS = 12
_SEGMENT_BYTES = 1440  # what a read of a busy TCP connection returns
_DESCRIPTORS, _DAC_DELAY_US = 16, 1150
_RING_BYTES = 49152
_START_US = 7_000_000_000
_CLOCK_SECONDS, _EXCHANGES_PER_SECOND = 64, 8

# A turn to run, and who runs it.
Turn = Callable[[], object]
Around = Callable[[Turn], None]


def _ignore(_: object) -> None:
    pass


def _just_run(turn: Turn) -> None:
    turn()


@dataclass(frozen=True)
class Setup:
    """What is played: a codec of audio.CODECS, channels on the wire, a volume."""

    codec: str
    channels: int
    gain_q15: int


class _Crystal:
    """A house clock that the renderer believes, `ppm` faster than the board's ticks."""

    def __init__(self, ppm: int) -> None:
        self.skew = ppm * 64
        self.synced = True
        self.version = 1
        self._ppm = ppm

    def house_us(self, ticks: int) -> int:
        return _START_US + ticks + ticks * self._ppm // 1_000_000


class _Socket:
    """A TCP connection on which bytes come in reads of _SEGMENT_BYTES."""

    def __init__(self) -> None:
        self.pending = bytearray()
        self.least = 1

    def readinto(self, buffer: bytearray) -> int | None:
        size = min(len(buffer), _SEGMENT_BYTES)
        if len(self.pending) < min(size, self.least):
            return None
        piece = self.pending[:size]
        del self.pending[:size]
        buffer[: len(piece)] = piece
        return len(piece)

    def write(self, _: bytearray, at: int, size: int) -> int:
        del at
        return size


class _Dac:
    """Takes a block at each of its boundaries, as a full ring of descriptors does."""

    def __init__(self) -> None:
        self.room = 0

    def write(self, block: bytearray) -> int:
        if not self.room:
            return 0
        self.room -= 1
        return len(block)


class Room:
    """Link, renderer and output of one board playing `setup`."""

    def __init__(self, modules: dict[str, Any], setup: Setup, ppm: int) -> None:
        self._modules = modules
        self._now_us = 0.0
        self._codec = audio.CODECS[setup.codec]
        self._channels = setup.channels
        self._sent = 0
        self._socket = _Socket()
        self._dac = _Dac()
        clock = _Crystal(ppm)
        self._renderer = modules["renderer"].Renderer(clock, _RING_BYTES)
        self._output = modules["output"].Output(
            self._dac, _DESCRIPTORS, _DAC_DELAY_US, self._renderer, 0
        )
        listener = SimpleNamespace(refused=_ignore)
        self._connection = modules["link"].Connection(listener, bytearray(_SEGMENT_BYTES))
        self._connection.begin(self._socket, ("box", 0), 0)
        self._connection.identity = "bench"  # as if it had proved it
        self._connection.sit(modules["link"].Seat())
        # An odd number of bytes, so that payloads lie askew in what is read, as they do in life.
        self._socket.pending += mux.frame(mux.RPC, bytes(21))
        self._connection.poll(0)
        start_us = _START_US + int((_DESCRIPTORS + 3) * BLOCK_US)
        self._renderer.level(setup.gain_q15, 0)
        self._renderer.open(1, start_us)
        self._connection.feed(self._renderer.ring)
        self._connection.poll(0)
        self._socket.least = _SEGMENT_BYTES
        for _ in range(_PRELOADED_CHUNKS):
            self._send()
        for _ in self.play(blocks=_WARM_BLOCKS):
            pass

    def play(
        self,
        around: Around = _just_run,
        blocks: int = _BLOCKS,
    ) -> Generator[str]:
        """Block by block, yields which of PARTS was done last; `around` gets each to run."""
        for _ in range(blocks):
            self._now_us += BLOCK_US
            self._dac.room += 1
            self._send()
            before = self._renderer.trims
            around(self._receive)
            yield RECEIVE
            with mock.patch.object(self._modules["output"], "ticks_us", self._ticks_us):
                around(self._output.pump)
            yield PLAIN if self._renderer.trims == before else TRIMMED
        if self._renderer.state != self._modules["renderer"].PLAYING:
            raise AssertionError("the projected room does not play: its model is wrong")

    def _ticks_us(self) -> int:
        return int(self._now_us)

    def _receive(self) -> None:
        if not self._connection.poll(self._ticks_us() // 1000):
            raise AssertionError("the projected room lost its link: its model is wrong")

    def _send(self) -> None:
        size = audio.payload_bytes(self._codec, self._channels)
        head = audio.header(1, self._codec, self._channels, self._sent)
        payload = bytes((self._sent * 31 + at * 7) & 0xFF for at in range(size))
        self._socket.pending += mux.frame(mux.AUDIO, head + payload)
        self._sent += 1


class _Datagrams:
    """A UDP socket on which a box answers each request at once."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._replies: list[bytes] = []

    def connect(self, _: object) -> None:
        pass

    def setblocking(self, _: bool) -> None:
        pass

    def close(self) -> None:
        pass

    def send(self, request: bytearray) -> int:
        asked = clock_wire.parse_request(bytes(request))
        if asked is None:
            raise AssertionError("the firmware sent what is no request")
        sequence, token, t1 = asked
        house_us = _START_US + self._now_us()
        self._replies.append(clock_wire.reply(sequence, token, t1, 1, house_us, 50))
        return len(request)

    def readinto(self, buffer: bytearray) -> int | None:
        if not self._replies:
            return None
        reply = self._replies.pop(0)
        buffer[: len(reply)] = reply
        return len(reply)


def follow(modules: dict[str, Any], around: Around) -> None:
    """Exchange and fit for a minute; `around` gets the last second's turns in one."""
    now_us = 0

    def ticks() -> int:
        nonlocal now_us
        now_us += 200
        return now_us

    def open_socket(*_: object) -> _Datagrams:
        return _Datagrams(lambda: now_us)

    sockets = SimpleNamespace(AF_INET=0, SOCK_DGRAM=0, socket=open_socket)
    clock = modules["clock"].HouseClock()
    exchange = modules["exchange"].Exchange(clock, 1)

    def ask() -> None:
        nonlocal now_us
        for _ in range(_EXCHANGES_PER_SECOND):
            now_us += 1_000_000 // _EXCHANGES_PER_SECOND
            exchange.poll(now_us)

    def second() -> None:
        ask()
        clock.fit(now_us)

    with (
        mock.patch.object(modules["exchange"], "socket", sockets),
        mock.patch.object(modules["exchange"], "ticks_us", ticks),
        mock.patch.object(modules["exchange"], "sleep_us", _ignore),
    ):
        exchange.start("box", 1, now_us)
        for _ in range(_CLOCK_SECONDS):
            ask()
        second()
        around(second)
    if not clock.synced:
        raise AssertionError("the projected clock does not follow: its model is wrong")

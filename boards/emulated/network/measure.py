"""Measure what a network really does: round trips between two stations, by UDP.

Both ends are sockets of this process, so one clock stamps everything and one-way times are true.
Arrivals are stamped by the kernel, so how long this process takes to wake up does not count.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .house import Station, VirtualNetwork
from .profiles import Profile

PORT = 4999
PING = struct.Struct("<IQQQ")  # number; ns when the ping left, when it arrived, when the echo left
SO_TIMESTAMPNS = 35  # socket(7); Python has no name for it
# How long the last pings may take: longer than any stall.
AFTER_SECONDS = 1.0
RESOLVE_TRIES = 30
PERCENTS = (0.0, 50.0, 95.0, 99.0, 99.9, 100.0)


@dataclass
class Measurement:
    """Times in microseconds of every ping that came back: there and back, there, back."""

    sent: int = 0
    round_us: list[int] = field(default_factory=list[int])
    there_us: list[int] = field(default_factory=list[int])
    back_us: list[int] = field(default_factory=list[int])

    @property
    def lost_ratio(self) -> float:
        """The share of pings that did not come back."""
        return 1.0 - len(self.round_us) / self.sent if self.sent else 0.0

    def rows(self) -> Iterable[tuple[str, list[int]]]:
        """A name and the values at PERCENTS, for each of the three times."""
        named = (("round trip", self.round_us), ("down", self.there_us), ("up", self.back_us))
        for name, values in named:
            yield name, percentiles(values)


def percentiles(values: Sequence[int], percents: Sequence[float] = PERCENTS) -> list[int]:
    """The nearest-rank percentiles; 0 is the minimum. Empty for no values."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return [ordered[round(last * percent / 100.0)] for percent in percents] if ordered else []


def measure_link(profile: Profile, seconds: float, interval_ms: float, seed: int) -> Measurement:
    """Ping from a box on a cable to a board with this profile. Raises NetworkUnavailable."""
    with VirtualNetwork(profile, seed) as network:
        box = network.station("box", "10.77.0.2", profile="wired")
        board = network.station("board", "10.77.0.11")
        return measure(box, board, seconds, interval_ms)


def measure(near: Station, far: Station, seconds: float, interval_ms: float) -> Measurement:
    """Ping `far` from `near` for so long; down is from near to far."""
    result = Measurement()
    with near.socket() as asks, far.socket() as echoes:
        asks.bind((near.address, PORT))
        echoes.bind((far.address, PORT))
        for sock in (asks, echoes):
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        _resolve(asks, echoes, far.address)
        begin = time.monotonic_ns()
        end = begin + int(seconds * 1e9)
        step = int(interval_ms * 1e6)
        next_ns = begin
        while (now := time.monotonic_ns()) < end + AFTER_SECONDS * 1e9:
            if now >= next_ns and now < end:
                asks.sendto(PING.pack(result.sent, time.time_ns(), 0, 0), (far.address, PORT))
                result.sent += 1
                next_ns += step
            wait = next_ns if now < end else end + AFTER_SECONDS * 1e9
            ready, _, _ = select.select((asks, echoes), (), (), max(0.0, (wait - now) / 1e9))
            if echoes in ready:
                _echo(echoes)
            if asks in ready:
                _collect(asks, result)
            if len(result.round_us) == result.sent and now >= end:
                break
    return result


def _resolve(asks: socket.socket, echoes: socket.socket, address: str) -> None:
    """Let ARP find both ends first: it is a broadcast, so it may be held, and lost."""
    for _ in range(RESOLVE_TRIES):
        asks.sendto(PING.pack(0, 0, 0, 0), (address, PORT))
        if select.select((echoes,), (), (), 1.0)[0]:
            _echo(echoes)
            if select.select((asks,), (), (), 1.0)[0]:
                break
    else:
        raise RuntimeError(f"no answer from {address}: is it cut off, or its loss at 1?")
    time.sleep(0.1)
    for sock in (asks, echoes):  # late ones
        while select.select((sock,), (), (), 0.0)[0]:
            sock.recv(PING.size)


def _echo(echoes: socket.socket) -> None:
    data, arrived_ns, sender = _receive(echoes)
    number, sent_ns, _, _ = PING.unpack(data)
    echoes.sendto(PING.pack(number, sent_ns, arrived_ns, time.time_ns()), sender)


def _collect(asks: socket.socket, result: Measurement) -> None:
    data, arrived_ns, _ = _receive(asks)
    _, sent_ns, echoed_ns, answered_ns = PING.unpack(data)
    there, back = echoed_ns - sent_ns, arrived_ns - answered_ns
    result.there_us.append(there // 1000)
    result.back_us.append(back // 1000)
    result.round_us.append((there + back) // 1000)


def _receive(sock: socket.socket) -> tuple[bytes, int, Any]:
    """A ping, the kernel's time of its arrival in ns, and its sender."""
    data, control, _, sender = sock.recvmsg(PING.size, 64)
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("qq", value)
            return data, seconds * 1_000_000_000 + nanoseconds, sender
    return data, time.time_ns(), sender

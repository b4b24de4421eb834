"""Asking others for house time: what a box does when it starts, so that time goes on.

    timeline = await follow_devices(registrar.peers())      # at most 0.4 s
    if timeline:
        house.adopt(timeline)

Which peer is right? Each is asked in a burst, and of its answers the one with the least round trip
counts: it bounds the peer's house time best. The median over the peers then drops one that is off.
If two timelines are told, that of the peer that comes first stays: boxes before devices, then the
lower id, as in `phantom.timekeeper`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from phantom.timekeeper import KEEPS_TIME, SERVICE
from phantom.wire import clock, mux

from .house_clock import ANCILLARY_BYTES, Timeline, arrival_ns, ask_for_stamps, read_ancillary

# A burst: enough for some to find both sides idle.
BURST = 12
BURST_EVERY_S = 0.02
# As many answers of each peer end the asking before its time.
ENOUGH = 8
LIMIT_S = 0.4
# More peers than this make the median no better.
MOST_PEERS = 8
_T1_MASK = 0xFFFFFFFF
# Answers read in one go, and bytes of each: one that is too long must show.
_BATCH = 16
_DATAGRAM_BYTES = 64


class TimePeer(Protocol):
    """What is to be known of a peer: the registrar's peers have it."""

    @property
    def id(self) -> str: ...
    @property
    def role(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def addresses(self) -> Sequence[str]: ...
    @property
    def services(self) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class Exchange:
    """A question and its answer; the first two in microseconds of the monotonic clock."""

    sent_us: int
    came_us: int
    house_us: int  # as it arrived there
    hold_us: int
    generation: int

    @property
    def rtt_us(self) -> int:
        """How long the two ways took."""
        return self.came_us - self.sent_us - self.hold_us

    @property
    def offset_us(self) -> int:
        """House time minus the monotonic clock, if both ways took the same."""
        return self.house_us - self.sent_us - self.rtt_us // 2


class Asker:
    """Asks one clock server over a socket of its own. Raises OSError for an impossible address.

    `heard(exchange)` is called from `readable` for each answer; an impossible one is passed over.
    """

    def __init__(
        self,
        address: str,
        port: int,
        heard: Callable[[Exchange], object],
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._heard = heard
        self._monotonic_ns = monotonic_ns
        self._token = int.from_bytes(os.urandom(4), "little")
        self._sequence = 0
        self._request = bytearray(clock.REQUEST_BYTES)
        family, kind, _, _, place = socket.getaddrinfo(
            address, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        self.socket = socket.socket(family, kind)
        try:
            self.socket.setblocking(False)
            ask_for_stamps(self.socket)
            self.socket.connect(place)
        except BaseException:
            self.socket.close()
            raise

    def close(self) -> None:
        """Ask no more."""
        self.socket.close()

    def ask(self) -> None:
        """Send a question; what can't be sent is lost like any other."""
        self._sequence = self._sequence + 1 & 0xFF
        now_us = self._monotonic_ns() // 1000
        clock.pack_request_into(self._request, self._sequence, self._token, now_us & _T1_MASK)
        try:
            self.socket.send(self._request)
        except OSError:
            return

    def readable(self) -> None:
        """Take in the answers that have come."""
        for _ in range(_BATCH):
            try:
                data, ancillary, _, _ = self.socket.recvmsg(_DATAGRAM_BYTES, ANCILLARY_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # nobody at that port
            stamp_ns, _ = read_ancillary(ancillary)
            realtime_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
            now_ns = self._monotonic_ns()
            came_ns = arrival_ns(stamp_ns, realtime_ns, now_ns)
            self._take(data, (now_ns if came_ns is None else came_ns) // 1000)

    def _take(self, data: bytes, came_us: int) -> None:
        answer = clock.parse_reply(data, len(data))
        if answer is None or answer[1] != self._token:
            return
        _, _, t1, generation, house_us, hold_us = answer
        sent_us = came_us - (came_us - t1 & _T1_MASK)
        exchange = Exchange(sent_us, came_us, house_us, hold_us, generation)
        if exchange.rtt_us >= 0:
            self._heard(exchange)


def rank(peer: TimePeer) -> tuple[bool, bool, str]:
    """Sorts peers by who is believed first."""
    return not peer.flags & KEEPS_TIME, peer.role != mux.ROLE_BOX, peer.id


def choose(heard: Sequence[tuple[TimePeer, Sequence[Exchange]]]) -> Timeline | None:
    """The timeline that peers, the first to be believed first, have told; None if none has."""
    told = [
        (peer, min(exchanges, key=lambda exchange: exchange.rtt_us))
        for peer, exchanges in heard
        if exchanges
    ]
    if not told:
        return None
    generation = told[0][1].generation
    told = [(peer, best) for peer, best in told if best.generation == generation]
    boxes = [best for peer, best in told if peer.role == mux.ROLE_BOX]
    best = boxes or [best for _, best in told]
    return Timeline(generation, statistics.median_low(exchange.offset_us for exchange in best))


async def follow_devices(
    peers: Iterable[TimePeer],
    *,
    limit_s: float = LIMIT_S,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
) -> Timeline | None:
    """The timeline that these peers keep, within `limit_s`; None if nobody answers."""
    offering = sorted((p for p in peers if SERVICE in p.services and p.addresses), key=rank)
    heard: list[tuple[TimePeer, list[Exchange]]] = []
    askers: list[Asker] = []
    loop = asyncio.get_running_loop()
    until = loop.time() + limit_s
    try:
        for peer in offering[:MOST_PEERS]:
            exchanges: list[Exchange] = []
            port = peer.services[SERVICE]
            try:
                asker = Asker(peer.addresses[0], port, exchanges.append, monotonic_ns)
            except OSError:
                continue
            heard.append((peer, exchanges))
            askers.append(asker)
            loop.add_reader(asker.socket, asker.readable)
        await _burst(askers, [exchanges for _, exchanges in heard], until)
    finally:
        for asker in askers:
            loop.remove_reader(asker.socket)
            asker.close()
    return choose(heard)


async def _burst(
    askers: Sequence[Asker], answers: Sequence[Sequence[Exchange]], until: float
) -> None:
    loop = asyncio.get_running_loop()
    asked = 0
    while loop.time() < until and not all(len(exchanges) >= ENOUGH for exchanges in answers):
        if asked < BURST:
            asked += 1
            for asker in askers:
                asker.ask()
        await asyncio.sleep(min(BURST_EVERY_S, max(0.0, until - loop.time())))

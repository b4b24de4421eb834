"""The access point: which frame reaches which station, and when.

Pure: frames and times go in, frames and times come out, and every chance is drawn from a seed, one
generator for each leg, so that a station's fate does not depend on its neighbours'. The process
that moves real frames is in bridge.py.

Each frame passes two stages: from its sender up to the access point, and down to its receiver,
where it meets the queue, the losses and the stalls of *that* link as they are when it gets there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

from .leg import Leg
from .medium import NEVER, Beacon, Medium, Stalls
from .profiles import Profile

DESTINATION = slice(0, 6)
# A frame that comes up faster than this is sent down at once, with the later time: it can overtake
# only a frame of another station, by no more than this, and needs no second look.
PROMPT_NS = 300_000
GROUP_BIT = 1  # of a destination address's first byte: broadcast or multicast


@dataclass(slots=True, eq=False)
class Port:
    """One station as the access point knows it."""

    index: int
    name: str
    wireless: bool
    up: Leg
    down: Leg
    stalls: Stalls
    broadcast_loss: float
    fixed_ns: int
    random: Random
    side: int = 0  # of a partition
    delivered: int = 0
    cut: int = 0
    broadcasts_lost: int = 0

    def stats(self) -> dict[str, object]:
        """Counts of frames since the start, and delays of unicast frames by direction, in us."""
        return {
            "sent": self.up.frames,
            "delivered": self.delivered,
            "lost": self.up.lost + self.down.lost,
            "overflowed": self.up.overflowed + self.down.overflowed,
            "cut": self.cut,
            "broadcasts_lost": self.broadcasts_lost,
            "up": self.up.delays.percentiles(),
            "down": self.down.delays.percentiles(),
        }


class AccessPoint:
    """Frames in by `offer`, out by `due`; `next_ns` is when to come back for more."""

    def __init__(self, profile: Profile, seed: int, start_ns: int) -> None:
        self._seed = seed
        self._start_ns = start_ns
        self._air = Medium(profile, self._chance("air"), start_ns)
        self._beacon: Beacon | None = None
        if profile.wireless:
            self._set_up_radio(profile)
        self.ports: list[Port] = []
        self._by_mac: dict[bytes, Port] = {}
        # (ns, number, leg whose queue it leaves, sender, receiver or None for all, frame)
        self._rising: list[tuple[int, int, Leg, Port, Port | None, bytes]] = []
        # (ns, number, leg whose queue it leaves or None, sender, receiver, frame)
        self._falling: list[tuple[int, int, Leg | None, Port, Port, bytes]] = []
        self._number = 0
        self._slack_ns = NEVER
        self._off_until_ns = 0
        self.unknown = 0  # frames to an address that nobody has

    def join(self, name: str, mac: bytes, profile: Profile) -> Port:
        """A new station. It stays for good; its index counts from 0."""
        start = self._start_ns
        if profile.wireless and self._beacon is None:  # the first radio of a wired house
            self._set_up_radio(profile)
        up_medium = down_medium = self._air
        if not profile.wireless:  # full duplex
            up_medium = Medium(profile, self._chance(name, "up cable"), start)
            down_medium = Medium(profile, self._chance(name, "down cable"), start)
        stalls = Stalls(profile, self._chance(name, "stalls"), start)
        port = Port(
            index=len(self.ports),
            name=name,
            wireless=profile.wireless,
            up=Leg(profile, profile.up, up_medium, stalls, self._chance(name, "up")),
            down=Leg(profile, profile.down, down_medium, stalls, self._chance(name, "down")),
            stalls=stalls,
            broadcast_loss=profile.broadcast_loss,
            fixed_ns=int(profile.fixed_us * 1000),
            random=self._chance(name, "broadcast"),
        )
        self.ports.append(port)
        self._by_mac[mac] = port
        self._slack_ns = min(self._slack_ns, port.fixed_ns)
        return port

    def offer(self, port: Port, frame: bytes, now_ns: int) -> None:
        """A station sends an Ethernet frame now. `now_ns` does not decrease from call to call."""
        if now_ns < self._off_until_ns:
            port.cut += 1
            return
        receiver = None
        if not frame[0] & GROUP_BIT:
            receiver = self._by_mac.get(frame[DESTINATION])
            if receiver is None:
                self.unknown += 1
                return
        at = port.up.admit(len(frame), now_ns)
        if 0 <= at <= now_ns + PROMPT_NS:
            self._turn(at, 0, port.up, port, receiver, frame)
        elif at >= 0:
            self._number += 1
            heappush(self._rising, (at, self._number, port.up, port, receiver, frame))

    def next_ns(self) -> int:
        """When to call `due` next; NEVER if nothing is under way.

        A frame that has come up needs no attention before it could be down again.
        """
        rising, falling = self._rising, self._falling
        at = falling[0][0] if falling else NEVER
        if rising:
            handed_on = rising[0][0] + self._slack_ns
            if handed_on < at:
                return handed_on
        return at

    def due(self, now_ns: int) -> Sequence[tuple[int, Port, bytes]]:
        """What reaches its receiver by now, in order: (ns at which it should, receiver, frame)."""
        rising = self._rising
        while rising and rising[0][0] <= now_ns:
            self._turn(*heappop(rising))
        falling = self._falling
        if not falling or falling[0][0] > now_ns:
            return ()
        out: list[tuple[int, Port, bytes]] = []
        while falling and falling[0][0] <= now_ns:
            at, _, leg, sender, receiver, frame = heappop(falling)
            if leg is not None:
                leg.queued -= 1
            if sender.side != receiver.side:
                receiver.cut += 1
                continue
            receiver.delivered += 1
            out.append((at, receiver, frame))
        return out

    def stall(self, port: Port, length_ns: int, now_ns: int) -> None:
        """Freeze a station's link in both directions: its frames wait."""
        port.stalls.force(now_ns, length_ns)

    def lose(self, port: Port, ratio: float | None, profile: Profile) -> None:
        """Lose this share of a station's frames, each way; None: as its profile has it."""
        port.up.set_loss(ratio)
        port.down.set_loss(ratio)
        port.broadcast_loss = profile.broadcast_loss if ratio is None else ratio

    def partition(self, sides: Sequence[Collection[str]]) -> None:
        """Stop frames between these sides, each a set of names, and whoever is on none of them."""
        for port in self.ports:
            port.side = 0
            for number, side in enumerate(sides, start=1):
                if port.name in side:
                    port.side = number

    def switch_off(self, length_ns: int, now_ns: int) -> None:
        """Lose power: all that is queued, and all that is sent until it is on again."""
        self._off_until_ns = now_ns + length_ns
        self._rising.clear()
        self._falling.clear()
        for port in self.ports:
            port.up.forget()
            port.down.forget()

    def _set_up_radio(self, profile: Profile) -> None:
        self._air = Medium(profile, self._chance("air"), self._start_ns)
        self._beacon = Beacon(profile, self._chance("beacon"), self._start_ns)

    def _chance(self, *names: str) -> Random:
        return Random("/".join((str(self._seed), *names)))

    def _turn(
        self, at: int, _: int, leg: Leg, sender: Port, receiver: Port | None, frame: bytes
    ) -> None:
        """A frame is at the access point: send it down."""
        leg.queued -= 1
        if receiver is None:
            self._broadcast(at, sender, frame)
        else:
            self._descend(at, sender, receiver, frame)

    def _descend(self, at: int, sender: Port, receiver: Port, frame: bytes) -> None:
        leg = receiver.down
        out = leg.admit(len(frame), at)
        if out >= 0:
            self._number += 1
            heappush(self._falling, (out, self._number, leg, sender, receiver, frame))

    def _broadcast(self, at: int, sender: Port, frame: bytes) -> None:
        beacon = self._beacon
        sent = beacon.send(len(frame), at) if beacon is not None else None
        for port in self.ports:
            if port is sender or port.side != sender.side:
                continue
            if not port.wireless:
                self._descend(at, sender, port, frame)
                continue
            # Nobody acknowledges a broadcast, so a radio that is elsewhere just misses it.
            missed = sent is None or port.random.random() < port.broadcast_loss
            if sent is None or missed or port.stalls.hold(at, sent) != sent:
                port.broadcasts_lost += 1
                continue
            self._number += 1
            heappush(
                self._falling, (sent + port.fixed_ns, self._number, None, sender, port, frame)
            )

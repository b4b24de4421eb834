"""A house that starts at once, in virtual time: real registrars, real beacons, a modelled network.

The access point is that of the virtual network (boards.emulated.network), which is pure: frames
and times go in and come out. So a hundred devices need no hundred processes, and the figures don't
depend on how busy this machine is. A station is as poor as a board: its mailbox holds six
datagrams, its loop takes two in 3 ms, its registrar's time passes every 100 ms.
"""

from __future__ import annotations

from random import Random

from boards.emulated.network.access_point import AccessPoint, Port
from boards.emulated.network.profiles import profile_named
from phantom.peer import Peer
from phantom.registrar import Me, Registrar
from phantom.wire import DISCOVERY_PORT, mux
from tools.demo.installation import member

MS = 1_000_000
MAILBOX = 6
TURN_MS = 3
READS = 2
TICK_MS = 100
# Power comes back to all at once; chips are not equally quick to start.
START_MS = 50
LIMIT_MS = 20_000
# Ethernet, IPv4 and UDP before the datagram.
_OVERHEAD = 42
_EVERYBODY = b"\xff" * 6


class Device:
    """One board on Wi-Fi."""

    def __init__(self, house: VirtualHouse, number: int) -> None:
        self._house = house
        self.mac = b"\x02\x50\x48\0" + number.to_bytes(2, "big")
        self.host = f"10.77.{number // 200}.{number % 200 + 11}"
        self.mailbox: list[bytes] = []
        self.overflowed = 0
        identity = f"device-{number:03}"
        belonging = member(identity)
        me = Me(
            identity,
            identity,
            mux.ROLE_DEVICE,
            1,
            belonging.installation,
            belonging.key,
            4770,
        )
        me.services = {"link": 4770}
        chance = house.random
        self.registrar = Registrar(me, self._send, chance.randrange, self._changed, capacity=256)
        self.starts_ms = 1 + chance.randrange(START_MS)
        self.phase_ms = chance.randrange(TICK_MS)
        profile = house.profile
        self.port: Port = house.access_point.join(identity, self.mac, profile)

    def _send(self, datagram: bytearray, address: tuple[str, int] | None) -> None:
        house = self._house
        to = _EVERYBODY if address is None else house.macs[address[0]]
        frame = (to + self.mac).ljust(_OVERHEAD, b"\0") + bytes(datagram)
        house.broadcasts += address is None
        house.access_point.offer(self.port, frame, house.now_ms * MS)

    def _changed(self, kind: str, peer: Peer | None, reason: str) -> None:
        self._house.removed += kind == "removed"

    def take(self, frame: bytes) -> None:
        """A frame arrives."""
        if len(self.mailbox) == MAILBOX:
            self.overflowed += 1
        else:
            self.mailbox.append(frame)

    def turn(self, now_ms: int) -> None:
        """One millisecond of its life."""
        if now_ms == self.starts_ms:
            self.registrar.start([self.host], now_ms)
        if now_ms % TURN_MS == 0:
            for frame in self.mailbox[:READS]:
                if now_ms >= self.starts_ms:
                    address = (self._house.hosts[frame[6:12]], DISCOVERY_PORT)
                    self.registrar.receive(frame[_OVERHEAD:], address, now_ms)
            del self.mailbox[:READS]
        if now_ms > self.starts_ms and now_ms % TICK_MS == self.phase_ms:
            self.registrar.tick(now_ms)


class VirtualHouse:
    """`count` boards that get power at the same moment."""

    def __init__(self, count: int, profile: str, seed: int) -> None:
        self.profile = profile_named(profile)
        self.access_point = AccessPoint(self.profile, seed, 0)
        self.random = Random(f"settling/{seed}")
        self.now_ms = 0
        self.broadcasts = 0
        self.removed = 0
        self.devices = [Device(self, number) for number in range(count)]
        self.macs = {device.host: device.mac for device in self.devices}
        self.hosts = {device.mac: device.host for device in self.devices}

    def settle(self) -> int | None:
        """Milliseconds until everybody knows everybody; None if that takes over LIMIT_MS."""
        others = len(self.devices) - 1
        by_port = [device.take for device in self.devices]
        while self.now_ms < LIMIT_MS:
            self.now_ms += 1
            for _, port, frame in self.access_point.due(self.now_ms * MS):
                by_port[port.index](frame)
            for device in self.devices:
                device.turn(self.now_ms)
            if all(len(device.registrar.peers()) == others for device in self.devices):
                return self.now_ms
        return None

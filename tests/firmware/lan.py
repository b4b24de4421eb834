"""A simulated house of registrars on one Wi-Fi: loss, held broadcasts, small mailboxes; no clock.

Broadcasts wait for the next DTIM beacon, as in boards/emulated/network/profiles.py, and follow one
another there; a station queues six datagrams and reads a few each turn.
"""

from phantom.registrar import Me, Registrar
from phantom.wire import mux
from tests.portable import Random

DTIM_MS = 205
FRAME_MS = 2  # of a beacon at the basic rate
MAILBOX = 6
TICK_MS = 100  # as seldom as a registrar may be told the time
KEY = b"k" * 32
HOME = b"homehome"


class Station:
    """One device: a registrar, its mailbox, and what it was told."""

    def __init__(self, lan, number, role=mux.ROLE_DEVICE, installation=HOME, key=KEY, boot=1):
        self.lan = lan
        self.host = f"10.0.{number // 250}.{number % 250 + 1}"
        self.changes = []
        self.mailbox = []
        self.alive = True
        self.dropped = 0
        me = Me(f"d{number:03}", f"room {number}", role, boot, installation, key, 4770)
        me.services = {"link": 4770}
        self.registrar = Registrar(
            me, self._send, lan.random.below, self._change, capacity=128, strangers=16
        )

    def start(self):
        self.registrar.start([self.host], self.lan.now)

    def _send(self, datagram, address):
        if self.alive:
            self.lan.send(self, bytes(datagram), address)

    def _change(self, kind, peer, reason):
        self.changes.append((self.lan.now, kind, peer.id if peer else None, reason))

    def take(self, datagram, address):
        if len(self.mailbox) >= MAILBOX:
            self.dropped += 1
        else:
            self.mailbox.append((datagram, address))

    def turn(self, reads):
        for _ in range(min(reads, len(self.mailbox))):
            datagram, address = self.mailbox.pop(0)
            self.registrar.receive(datagram, address, self.lan.now)

    def ids(self):
        return sorted(peer.id for peer in self.registrar.peers())


class Lan:
    """Everything on the air; `loss` in thousandths, each receiver on its own."""

    def __init__(self, seed, loss=30, now=0, step=5):
        self.random = Random(seed)
        self.loss = loss
        self.now = now & 0x3FFFFFFF
        self.step = step
        self.elapsed = 0
        self.stations = []
        self.broadcasts = 0
        self._coming = {}  # ms since the start: [(station or None, sender, datagram)]
        self._air_free = 0
        self.off = False

    def add(self, number, **options):
        station = Station(self, number, **options)
        self.stations.append(station)
        return station

    def send(self, sender, datagram, address):
        if self.off:
            return
        if address is None:
            self.broadcasts += 1
            beacon = -(-(self.elapsed + 1) // DTIM_MS) * DTIM_MS
            at = max(beacon, self._air_free)
            if at >= beacon + DTIM_MS:
                return  # no room left to hold it
            self._air_free = at + FRAME_MS
            self._deliver(at, None, sender, datagram)
            return
        for station in self.stations:
            if station.host == address[0]:
                self._deliver(self.elapsed + self.random.between(2, 30), station, sender, datagram)

    def _deliver(self, at, station, sender, datagram):
        at = -(-at // self.step) * self.step
        self._coming.setdefault(at, []).append((station, sender, datagram))

    def run(self, milliseconds, reads=4):
        """Let time pass; each turn a station reads up to so many datagrams."""
        end = self.elapsed + milliseconds
        while self.elapsed < end:
            self.elapsed += self.step
            self.now = (self.now + self.step) & 0x3FFFFFFF
            self._arrive()
            for station in self.stations:
                if station.alive:
                    if station.mailbox:
                        station.turn(reads)
                    if self.elapsed % TICK_MS < self.step:
                        station.registrar.tick(self.now)

    def run_until(self, condition, limit_ms):
        """Milliseconds until the condition holds; None if it did not in time."""
        since = self.elapsed
        while self.elapsed - since < limit_ms:
            self.run(self.step)
            if condition():
                return self.elapsed - since
        return None

    def _arrive(self):
        for station, sender, datagram in self._coming.pop(self.elapsed, ()):
            address = (sender.host, 4772)
            for receiver in self.stations if station is None else (station,):
                if receiver is sender or not receiver.alive:
                    continue
                if self.random.below(1000) >= self.loss:
                    receiver.take(datagram, address)

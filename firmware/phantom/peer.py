"""Another device of the house, as a registrar knows it from its beacons."""

from .wire import const, discovery

# Ticks of a board wrap at 2**30 ms; a host's counter is cut to the same.
TICKS_MASK = const(0x3FFFFFFF)
_TICKS_HALF = const(0x20000000)

NEWER = const(2)
LATE = const(1)
OLD = const(0)
# A broadcast that an access point held may come after unicasts sent later; beyond that it is old.
_WINDOW = const(24)


def since(now_ms, then_ms):
    """now - then, right while they are less than six days apart."""
    return ((now_ms - then_ms) & TICKS_MASK ^ _TICKS_HALF) - _TICKS_HALF


class Peer:
    """id, name, role, boot, addresses (texts, the best first), port (of its link, 0: none),
    services (ports by name), flags, protocol, heard_ms, rtt_ms (None: not measured yet).

    The rest is the registrar's own business.
    """

    def __init__(self, identity):
        self.id = identity
        self.role = 0
        self.boot = 0
        self.addresses = []
        self.port = 0
        self.flags = 0
        self.protocol = 0
        self.heard_ms = 0
        self.rtt_ms = None
        self.tail = b""
        self.period_ms = 0  # how long it may be silent on purpose
        self.source = None  # (host, port) it was last heard from: where it is asked
        self.sequence = 0
        self.seen = 0  # bit n: sequence - n has come
        self.asked_ms = None  # when it was asked last, by a WHO
        self.nonce = None  # of that WHO, until it is answered
        self.measured_ms = None  # when its round trip was last taken
        self.left = None  # addresses it moved away from
        self.left_ms = 0

    @property
    def name(self):
        return discovery.parse_tail(self.tail)[1]

    @property
    def services(self):
        return discovery.parse_tail(self.tail)[3]

    def order(self, boot, sequence):
        """Whether a beacon is NEWER than all before, LATE but never seen, or OLD."""
        if boot != self.boot:
            return NEWER if boot > self.boot else OLD
        if sequence > self.sequence:
            return NEWER
        behind = self.sequence - sequence
        if behind < _WINDOW and not self.seen >> behind & 1:
            return LATE
        return OLD

    def count(self, boot, sequence):
        """Note a beacon that was accepted."""
        ahead = sequence - self.sequence
        if boot != self.boot or ahead >= _WINDOW:
            self.seen = 1
        elif ahead >= 0:
            self.seen = (self.seen & (1 << _WINDOW - ahead) - 1) << ahead | 1
        else:
            self.seen |= 1 << -ahead
            return
        self.boot = boot
        self.sequence = sequence

    def listed(self, tail):
        """The addresses in a tail; None if it is malformed. Most often it is the one known."""
        if tail == self.tail:
            return [text.split("%")[0] for text in self.addresses]
        parsed = discovery.parse_tail(tail)
        return None if parsed is None else parsed[2]

    def read(self, fields, listed, address, now_ms):
        """Take over what a beacon's fields say, its addresses being `listed`."""
        kind, self.protocol, _, boot, sequence, nonce, self.role, self.flags = fields[:8]
        self.count(boot, sequence)
        self.period_ms, self.port, self.tail = fields[8:]
        self.source = address
        self.addresses = self.rank(listed, address[0])
        if kind == discovery.HERE and nonce == self.nonce:
            self.rtt_ms = since(now_ms, self.asked_ms)
            self.measured_ms = now_ms
            self.nonce = None
        self.heard_ms = now_ms

    def rank(self, listed, host):
        """The addresses of a beacon, best first, given the host it came from.

        What has worked stays the best. An IPv4 address that was heard from goes before others; a
        link-local one is of use only with the interface at which it was heard.
        """
        bare = host.split("%")[0]
        known = self.addresses
        ranked = []
        for text in listed:
            if text == bare:
                text = host
            else:
                for other in known:
                    if other.split("%")[0] == text:
                        text = other
            ranked.append(text)
        best = None
        if known and known[0] in ranked and (":" not in known[0] or ":" in host):
            best = known[0]
        elif host in ranked:
            best = host
        if best is not None:
            ranked.remove(best)
            ranked.insert(0, best)
        return ranked


def same_place(a, b):
    """Whether two lists of addresses have one in common, whatever the interface."""
    for one in a:
        bare = one.split("%")[0]
        for other in b:
            if other.split("%")[0] == bare:
                return True
    return False

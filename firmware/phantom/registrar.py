"""Who is in the house: every box and every board keeps its own list, from beacons alone.

The same file runs on boards and on hosts. It knows neither sockets nor clocks: datagrams come in
by `receive`, go out by the `send` given, and time comes in as milliseconds of any counter, cut to
30 bits. docs/discovery.md has the rules and why they are so.
"""

from .announcing import Announcing, period_ms
from .doubt import Doubts
from .membership import NO_INSTALLATION, NO_KEY
from .peer import LATE, NEWER, OLD, TICKS_MASK, Peer, same_place, since
from .strangers import Strangers
from .wire import const, discovery
from .wire.mux import ROLE_BOX

# How late a peer is asked after its silence began, and how long it then has. Together with a
# broadcast that the access point held for 0.2 s, a death is known within 3 s.
_QUIET_MS = const(1300)
_ASK_FOR_MS = const(1300)
_ASK_EVERY_MS = const(200)
# Ticks further apart than this: we stood still ourselves.
_HELD_UP_MS = const(500)
# A box takes everybody's round trip so often, a board that of peers in a small house: so each has
# the other's hardware address when it has to say goodbye (asking for it is a broadcast).
_MEASURE_MS = const(10000)
_BOARD_MEASURE_MS = const(60000)
_SMALL_HOUSE = const(16)
# Questions to single peers a second: of a box, and of all boards of a house together. When a whole
# house has missed something (its access point was off, or everybody starts) nobody must drown it.
_BOX_ASKS = const(400)
_HOUSE_ASKS = const(200)
_BOARD_ASKS = const(50)
# Answers to questions of others, a second.
_ANSWERS = const(100)
# An address left is suspicious this long: who speaks from it again is another with the same id.
_LEFT_MS = const(10000)
# One beacon may come by two interfaces, the later one held by the access point.
_ECHO_MS = const(500)

ADDED = "added"
UPDATED = "updated"
REMOVED = "removed"
CONFLICT = "conflict"


class Me:
    """What we say of ourselves. `addresses` are texts; `port` is our link's, 0 without one."""

    def __init__(self, identity, name, role, boot, installation, key, port=0):
        self.id = identity
        self.name = name
        self.role = role
        self.boot = boot
        self.installation = installation
        self.key = key
        self.port = port
        self.addresses = []
        self.services = {}
        self.flags = 0


class Registrar:
    """The peers of one installation, each with its addresses, services and liveness.

    send(datagram, address): a (host, port) pair, or None to broadcast; it must not raise.
    random(n): a whole number from 0 to n - 1.
    on_change(kind, peer, reason): "added"; "updated" with reason "restarted", "moved" or "";
    "removed" with "goodbye", "timed out" or "left" (it is we who left the installation);
    "conflict" with the address of another device that has the same id (peer None: our own id).
    `strangers` unadopted devices are kept apart from peers.
    """

    def __init__(self, me, send, random, on_change, capacity=128, strangers=0):
        self.me = me
        self._send = send
        self._on_change = on_change
        self._capacity = capacity
        self._announcing = Announcing(random)
        self._doubts = Doubts(random)
        self._strangers = Strangers(strangers)
        self._by_id = {}
        self._peers = []
        self._past = {}  # id: (boot, sequence) of those removed: no old beacon revives them
        self._past_ids = []
        self._former = []  # addresses we had before
        self._sequence = 0
        self._tail = b""
        self._silent = True  # said nothing yet, or goodbye
        self._ticked_ms = None
        self._asks = 0
        self._answers = 0
        self.counters = {
            "sent": 0,
            "received": 0,
            "malformed": 0,
            "foreign": 0,  # of another installation
            "forged": 0,  # a MAC that is not under our key
            "replayed": 0,
            "late": 0,  # overtaken by later ones; harmless
            "full": 0,  # peers there was no room for
            "conflicts": 0,
            "unanswered": 0,  # questions beyond the answers a second
        }

    # What is known

    @property
    def adopted(self):
        """Whether we belong to an installation."""
        return self.me.installation != NO_INSTALLATION

    def peers(self):
        """All peers; the list is ours, to read."""
        return self._peers

    def unadopted(self):
        """Devices that belong to no installation."""
        return self._strangers.all

    def peer(self, identity):
        """The peer of that id, or None."""
        return self._by_id.get(identity)

    def find(self, service):
        """The peers that offer a service, lowest id first."""
        found = [peer for peer in self._peers if service in peer.services]
        found.sort(key=lambda peer: peer.id)
        return found

    def note_alive(self, identity, now_ms):
        """Somebody else, a link say, has just heard from this peer."""
        peer = self._by_id.get(identity)
        if peer is not None:
            peer.heard_ms = now_ms

    # What we say of ourselves

    def start(self, addresses, now_ms):
        """Say who we are from now on."""
        self.me.addresses = list(addresses)
        self._silent = False
        self._ticked_ms = now_ms
        self._say()
        self._announcing.start(now_ms)

    def set_addresses(self, addresses, now_ms):
        """We have other addresses. An empty list: none, so nothing is sent."""
        if list(addresses) != self.me.addresses:
            self._former = self.me.addresses
            self.me.addresses = list(addresses)
            self._say()
            self._announcing.moved(now_ms)

    def set_service(self, name, port, now_ms):
        """Offer a service at a port; None: no more."""
        if self.me.services.get(name) == port:
            return
        if port is None:
            del self.me.services[name]
        else:
            self.me.services[name] = port
        self._changed(now_ms)

    def set_flag(self, flag, on, now_ms):
        """One of wire.discovery's flags."""
        self._set_flags(self.me.flags | flag if on else self.me.flags & ~flag, now_ms)

    def set_fault(self, reason, now_ms):
        """What is wrong with us, one of wire.discovery's REASONS; empty: nothing."""
        self._set_flags(discovery.with_reason(self.me.flags, reason), now_ms)

    def _set_flags(self, flags, now_ms):
        if flags != self.me.flags:
            self.me.flags = flags
            self._changed(now_ms)

    def set_name(self, name, now_ms):
        """We are called something else."""
        if name != self.me.name:
            self.me.name = name
            self._changed(now_ms)

    def join(self, installation, key, now_ms):
        """Belong to another installation (zeros: to none) and forget the old one's peers."""
        if not self._silent and self.me.addresses:
            self._say_goodbye()
        for peer in list(self._peers):
            self._remove(peer, "left")
        self._past = {}
        self._past_ids = []
        self._doubts.clear()
        self._strangers.clear()
        self.me.installation = installation
        self.me.key = key
        self._say()
        self._announcing.start(now_ms)

    def goodbye(self):
        """Leave on purpose. Call it three times, some 30 ms apart: a broadcast may be lost."""
        self._silent = True
        if self.me.addresses and self._tail:
            self._say_goodbye()

    def _say_goodbye(self):
        # To each, too: a broadcast may be held at an access point for 0.2 s.
        beacon = self._pack(discovery.GOODBYE, discovery.NO_NONCE)
        for peer in self._peers:
            if peer.source is not None:
                self._out(beacon, peer.source)
        self._out(beacon, None)

    def _changed(self, now_ms):
        self._say()
        self._announcing.changed(now_ms)

    def _say(self):
        me = self.me
        me.flags &= ~discovery.UNADOPTED
        if me.installation == NO_INSTALLATION:
            me.flags |= discovery.UNADOPTED
        self._tail = discovery.tail(me.id, me.name, me.addresses, me.services)

    # Time

    def tick(self, now_ms):
        """Let time pass: ten times a second or more often."""
        elapsed = since(now_ms, self._ticked_ms) if self._ticked_ms is not None else 0
        self._ticked_ms = now_ms
        if elapsed > _HELD_UP_MS:
            self._forgive(elapsed, now_ms)
        # A tenth of a second's worth may go at once.
        rate = _BOX_ASKS
        if self.me.role != ROLE_BOX:
            rate = min(_BOARD_ASKS, _HOUSE_ASKS // (len(self._peers) + 1) + 1)
        self._asks = min(self._asks + elapsed * rate, max(1000, 100 * rate))
        self._answers = min(self._answers + elapsed * _ANSWERS, 100 * _ANSWERS)
        if not self._silent and self.me.addresses and self._announcing.due(now_ms):
            self._broadcast(now_ms)
        gone = self._check_peers(now_ms)
        while gone is not None:  # the list changes, so one at a time
            self._remove(gone, "timed out")
            gone = self._check_peers(now_ms)
        self._strangers.tick(now_ms)

    def _forgive(self, elapsed, now_ms):
        # What was said while we stood still is yet to be read: no silence of theirs.
        for peer in self._peers:
            if since(now_ms, peer.heard_ms) >= elapsed:
                peer.heard_ms = peer.heard_ms + elapsed & TICKS_MASK

    def _broadcast(self, now_ms):
        count = len(self._peers) + len(self._strangers.all)
        asking = self._announcing.sent(count, now_ms)
        kind = discovery.WHO if asking else discovery.HERE
        self._out(self._pack(kind, discovery.NO_NONCE), None)

    def _check_peers(self, now_ms):
        """Ask who is silent. Returns one that has been for too long."""
        is_box = self.me.role == ROLE_BOX
        house = period_ms(len(self._peers))
        for peer in self._peers:
            silent = since(now_ms, peer.heard_ms)
            # A box asks in a big house, too, where beacons are rare: somebody must know.
            quiet = _QUIET_MS
            if not is_box:
                quiet = max(quiet, max(house, peer.period_ms) * 13 // 10)
            if silent >= quiet + _ASK_FOR_MS:
                return peer
            if (silent >= quiet or self._unmeasured(peer, is_box, now_ms)) and (
                peer.asked_ms is None or not 0 <= since(now_ms, peer.asked_ms) < _ASK_EVERY_MS
            ):
                self._ask(peer, now_ms)
        return None

    def _unmeasured(self, peer, is_box, now_ms):
        if not is_box and len(self._peers) > _SMALL_HOUSE:
            return False
        every = _MEASURE_MS if is_box else _BOARD_MEASURE_MS
        return peer.measured_ms is None or not 0 <= since(now_ms, peer.measured_ms) < every

    def _ask(self, peer, now_ms):
        if self._asks < 1000:
            return
        self._asks -= 1000
        peer.asked_ms = now_ms
        peer.nonce = self._doubts.nonce()
        self._out(self._pack(discovery.WHO, peer.nonce), peer.source)

    def _pack(self, kind, nonce):
        self._sequence += 1
        me = self.me
        return discovery.pack(
            kind, me, self._sequence, nonce, me.flags, self._announcing.gap_ms, self._tail
        )

    def _out(self, datagram, address):
        self.counters["sent"] += 1
        self._send(datagram, address)

    # What is heard

    def receive(self, datagram, address, now_ms):
        """Take one datagram (bytes, bytearray or memoryview) from a (host, port). Never raises."""
        counters = self.counters
        counters["received"] += 1
        fields = discovery.parse(datagram)
        if fields is None:
            counters["malformed"] += 1
            return
        tail = fields[10]
        if tail == self._tail and fields[3] == self.me.boot and fields[2] == self.me.installation:
            return  # our own broadcast; a network stack may give it back
        identity = discovery.identity_of(tail)
        if identity is None:
            counters["malformed"] += 1
        elif fields[2] == NO_INSTALLATION:
            self._take_stranger(identity, fields, datagram, address, now_ms)
        elif fields[2] != self.me.installation:
            counters["foreign"] += 1
        elif not discovery.authentic(datagram, self.me.key):
            counters["forged"] += 1
        elif identity == self.me.id:
            self._take_double(tail, now_ms)
        else:
            self._take(identity, fields, address, now_ms)

    def _take(self, identity, fields, address, now_ms):
        kind, _, _, boot, sequence, nonce = fields[:6]
        peer = self._by_id.get(identity)
        answered = kind == discovery.HERE and self._doubts.answered(identity, nonce, now_ms)
        order = NEWER
        if peer is not None:
            order = peer.order(boot, sequence)
        elif identity in self._past and (boot, sequence) <= self._past[identity]:
            order = OLD
        if order == LATE or (order != NEWER and self._is_echo(peer, boot, now_ms)):
            self.counters["late"] += 1
            if order == LATE:
                peer.count(boot, sequence)
            return
        if order != NEWER and not answered:
            self.counters["replayed"] += 1
            self._challenge(identity, address, now_ms)
            return
        if kind == discovery.GOODBYE:
            self._take_goodbye(identity, peer, boot, sequence)
            return
        if peer is None:
            peer = self._add(identity, fields, address, now_ms)
        elif self._is_double(peer, fields, order, now_ms):
            return
        else:
            if order != NEWER:
                peer.boot = 0  # its count began anew
            self._update(peer, fields, address, now_ms)
        if peer is not None and kind == discovery.WHO:
            self._answer(nonce, address, now_ms)

    def _take_goodbye(self, identity, peer, boot, sequence):
        if peer is not None:
            peer.count(boot, sequence)
            self._remove(peer, "goodbye")
        else:
            self._remember(identity, boot, sequence)

    def _add(self, identity, fields, address, now_ms):
        parsed = discovery.parse_tail(fields[10])
        if parsed is None:
            self.counters["malformed"] += 1
            return None
        if len(self._peers) >= self._capacity:
            self.counters["full"] += 1
            return None
        peer = Peer(identity)
        peer.read(fields, parsed[2], address, now_ms)
        self._by_id[identity] = peer
        self._peers.append(peer)
        self._strangers.forget(identity)
        self._on_change(ADDED, peer, "")
        return peer

    def _update(self, peer, fields, address, now_ms):
        before = (peer.boot, peer.flags, peer.port, peer.tail, peer.addresses)
        listed = peer.listed(fields[10])
        if listed is None:
            self.counters["malformed"] += 1
            return
        peer.read(fields, listed, address, now_ms)
        if before == (peer.boot, peer.flags, peer.port, peer.tail, peer.addresses):
            return
        reason = ""
        if peer.boot != before[0]:
            reason = "restarted"
            peer.measured_ms = None
        elif not same_place(before[4], peer.addresses):
            reason = "moved"
        if not same_place(before[4], peer.addresses):
            peer.left = before[4]
            peer.left_ms = now_ms
        self._on_change(UPDATED, peer, reason)

    def _remove(self, peer, reason):
        self._peers.remove(peer)
        del self._by_id[peer.id]
        self._remember(peer.id, peer.boot, peer.sequence)
        self._on_change(REMOVED, peer, reason)

    def _remember(self, identity, boot, sequence):
        if identity not in self._past:
            if len(self._past_ids) >= self._capacity:
                del self._past[self._past_ids.pop(0)]
            self._past_ids.append(identity)
        self._past[identity] = max((boot, sequence), self._past.get(identity, (0, 0)))

    def _answer(self, nonce, address, now_ms):
        if self._silent or not self.me.addresses:
            return
        if nonce != discovery.NO_NONCE:
            if self._answers < 1000:
                self.counters["unanswered"] += 1
                return
            self._answers -= 1000
            self._out(self._pack(discovery.HERE, nonce), address)
        else:
            self._announcing.asked(len(self._peers), now_ms)

    # Who isn't what it says, or is not ours

    def _is_echo(self, peer, boot, now_ms):
        """The same datagram by another way: over IPv6, or another interface."""
        return peer is not None and boot == peer.boot and since(now_ms, peer.heard_ms) < _ECHO_MS

    def _challenge(self, identity, address, now_ms):
        """Authentic and old: a recording, or a device that lost its count. Ask it."""
        nonce = self._doubts.challenge(identity, now_ms)
        if nonce is not None:
            self._out(self._pack(discovery.WHO, nonce), address)

    def _is_double(self, peer, fields, order, now_ms):
        """Whether a beacon is of another device that has this peer's id: a copy of its flash."""
        listed = peer.listed(fields[10])
        if listed is None or same_place(listed, peer.addresses):
            return False
        back = peer.left is not None and since(now_ms, peer.left_ms) < _LEFT_MS
        back = back and same_place(listed, peer.left)
        # It lives, though its count is behind; so does the one we know, or did just now.
        alive = order != NEWER and since(now_ms, peer.heard_ms) < _QUIET_MS + _ASK_FOR_MS
        if not (back or alive):
            return False
        if back:
            peer.left_ms = now_ms
        self._tell_conflict(peer.id, peer, listed, now_ms)
        return True

    def _take_double(self, tail, now_ms):
        parsed = discovery.parse_tail(tail)
        if parsed is None or not self.me.addresses:
            return
        if same_place(parsed[2], self.me.addresses) or same_place(parsed[2], self._former):
            return  # our own, from before a change
        self._tell_conflict(self.me.id, None, parsed[2], now_ms)

    def _tell_conflict(self, identity, peer, listed, now_ms):
        self.counters["conflicts"] += 1
        if self._doubts.tell(identity, now_ms):
            self._on_change(CONFLICT, peer, listed[0] if listed else "")

    def _take_stranger(self, identity, fields, datagram, address, now_ms):
        if identity == self.me.id:
            return
        if not discovery.authentic(datagram, NO_KEY):
            self.counters["forged"] += 1
            return
        if fields[0] == discovery.WHO and self.me.installation == NO_INSTALLATION:
            self._answer(fields[5], address, now_ms)
        if not self._strangers.take(identity, fields, address, now_ms):
            self.counters["malformed"] += 1

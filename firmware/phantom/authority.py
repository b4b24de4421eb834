"""A topology that can be changed and understood: what a box holds.

Boards keep the entries and obey their own; they have no memory to spare for this.
"""

from binascii import hexlify
from hashlib import sha256

from .topology import MAX_COUNTER, PAIR, Topology, TopologyError, content_of, order, parsed


def pair_id(one, other):
    """The id of the system that two devices form: the same whoever pairs them, on either side."""
    octets = (min(one, other) + "\t" + max(one, other)).encode()
    return PAIR + hexlify(sha256(octets).digest()[:4]).decode()


class Authority(Topology):
    """A copy with an author: `author` is the node's id and stamps the changes made here."""

    def __init__(self, author):
        super().__init__()
        self._author = author

    # Changes

    def apply(self, key, value):
        """Set an entry (an object with all its fields) or delete it (None); returns its stamp.

        Raises TopologyError.
        """
        return self.apply_all(((key, value),))

    def apply_all(self, changes):
        """Apply several (key, value) as one change, under one stamp: they win or lose together."""
        if self.version >= MAX_COUNTER:
            raise TopologyError("topology: %d changes are all there can be" % MAX_COUNTER)
        stamp = (self.version + 1, self._author)
        self._take([(key, stamp + (content_of(key, value, key),)) for key, value in changes])
        return list(stamp)

    def copy(self):
        """Another copy with the same content and author."""
        twin = Authority(self._author)
        twin._entries = self._entries  # never changed in place
        twin._digest = self._digest
        twin.version = self.version
        return twin

    def ahead_of(self, entries):
        """Those of our entries that another node lacks, if `entries` are all it has."""
        theirs = dict(parsed(e, "entries[%d]" % i) for i, e in enumerate(entries))
        ahead = []
        for key in sorted(self._entries):
            if key not in theirs or order(self._entries[key]) > order(theirs[key]):
                ahead.append(self._entry(key))
        return ahead

    # What it means

    def devices(self):
        """The ids of all devices that have an entry, in order."""
        return sorted(key[2:] for key in self._live("d:"))

    def systems(self, present=()):
        """All systems: {"id", "name", "devices": [(device id, side), …]}, in order of ids.

        `present` holds (id, name) of devices that are here, with or without an entry: none is
        without a system. A pair is the latest left and the latest right of its system; whoever
        finds no partner is solo, in a system of its own id and name. A name that is taken gets
        a number.
        """
        names = {device: self.device(device)["name"] for device in self.devices()}
        for device, name in present:
            if device not in names:
                names[device] = name or device
        systems = []
        for system, left, right in self._pairs():
            default = "%s + %s" % (names.pop(left), names.pop(right))
            systems.append((system, default, [(left, "left"), (right, "right")]))
        for device, name in names.items():
            facts = self.device(device, name)
            side = facts["side"] if facts["system"] == device else "both"
            systems.append((device, name, [(device, side)]))
        return self._named(sorted(systems))

    def _pairs(self):
        halves = {}  # (system, side) -> (order, device) of the latest
        for key in self._live("d:"):
            entry = self._entries[key]
            device, system, side = key[2:], entry[2][1], entry[2][2]
            if system != device and side in ("left", "right"):
                rank = (order(entry), device)
                if rank > halves.get((system, side), ((), "")):
                    halves[(system, side)] = rank
        for system, side in sorted(halves):
            if side == "left" and (system, "right") in halves:
                yield system, halves[(system, "left")][1], halves[(system, "right")][1]

    def _named(self, systems):
        taken = set()
        named = []
        for system, default, devices in systems:
            entry = self._entries.get("s:" + system)
            name = wanted = default if entry is None or entry[2] is None else entry[2][0]
            number = 1
            # Octets, because boards know no other capitals than those of ASCII.
            while name.encode().lower() in taken:
                number += 1
                name = "%s %d" % (wanted, number)
            taken.add(name.encode().lower())
            named.append({"id": system, "name": name, "devices": devices})
        return named

    def _live(self, kind):
        return [k for k, e in self._entries.items() if k.startswith(kind) and e[2] is not None]

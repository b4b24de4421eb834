"""Devices of no installation yet: what they say proves nothing, so they are no peers."""

from .peer import Peer, since
from .wire import const, discovery

# They are not asked: three of their beacons may be lost.
_SILENT_MS = const(3500)


class Strangers:
    """At most `most` unadopted devices, as heard from their own beacons."""

    def __init__(self, most):
        self._most = most
        self.all = []

    def clear(self):
        """Forget all."""
        self.all = []

    def take(self, identity, fields, address, now_ms):
        """A beacon of one. False if it is malformed."""
        known = None
        for stranger in self.all:
            if stranger.id == identity:
                known = stranger
        if fields[0] == discovery.GOODBYE:
            if known is not None:
                self.all.remove(known)
            return True
        parsed = discovery.parse_tail(fields[10])
        if parsed is None:
            return False
        if known is None:
            if len(self.all) >= self._most:
                return True
            known = Peer(identity)
            self.all.append(known)
        known.read(fields, parsed[2], address, now_ms)
        return True

    def forget(self, identity):
        """It has been adopted."""
        for stranger in self.all:
            if stranger.id == identity:
                self.all.remove(stranger)
                return

    def tick(self, now_ms):
        """Drop one that has been silent; the next at the next tick."""
        for stranger in self.all:
            if since(now_ms, stranger.heard_ms) > _SILENT_MS:
                self.all.remove(stranger)
                return

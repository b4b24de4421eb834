"""The device's copy of the house's topology: obeyed at once, in flash as soon as nothing plays.

topology.get {after?, unless?}  {"entries", "next", "version", "digest"}: a page of the entries
                                beyond the key `after`; none if the digest is `unless`
topology.put {entries}          {"version", "digest"} after merging them
"""

from time import ticks_diff

from . import config
from .topology import Topology
from .wire import const

PATH = "/topology"
_REMEDY = "it is learnt anew from a box"
# Changes come in flocks, and each save stalls the board and wears its flash.
_QUIET_MS = const(1000)
# A flash that failed is tried again so much later.
_RETRY_MS = const(60000)


class TopologyCopy:
    """Serves the topology to peers and its device's own entry to obey(facts).

    `name` is what the device is called without an entry. playing() tells whether flash must wait.
    `fault` is what was wrong with the copy in flash, or None.
    """

    def __init__(self, identity, name, properties, playing, obey, path=PATH):
        self._id = identity
        self._name = name
        self._properties = properties
        self._playing = playing
        self._obey = obey
        self._path = path
        self._topology = Topology()
        self._changed_ms = None  # when it last changed or failed to be saved; None while saved
        self._wait_ms = _QUIET_MS
        self._fresh = False  # changed since the last chore
        self.fault = None
        self._load()
        properties.declare("topology.version", self._topology.version)
        properties.declare("topology.digest", self._topology.digest)

    def _load(self):
        restore = self._topology.restore
        try:
            config.load_lines(self._path, restore, self._complain, remedy=_REMEDY)
        except config.Missing:
            pass
        except config.ConfigError as error:
            self._complain(str(error))

    def _complain(self, text):
        self.fault = text
        print(text)

    def begin(self):
        """Obey what flash says; once all that obeys is there."""
        self._obey(self._topology.device(self._id, self._name))

    def erase(self):
        """Forget the house: in flash, too, in both copies."""
        self._topology = Topology()
        for _ in range(2):
            self._save(0)

    def serve(self, connection):
        """Offer the topology to a peer."""
        connection.rpc.register("topology.get", self._get)
        connection.rpc.register("topology.put", self._put)

    def lost(self, connection):
        """Nothing to forget."""

    def chore(self, now_ms):
        """Save what has changed, when it is quiet."""
        if self._fresh or (self._changed_ms is not None and self._playing()):
            self._fresh = False
            self._changed_ms = now_ms
            self._wait_ms = _QUIET_MS
        if self._changed_ms is None:
            return
        if ticks_diff(now_ms, self._changed_ms) >= self._wait_ms:
            self._save(now_ms)

    def _save(self, now_ms):
        self._changed_ms = None
        try:
            config.save_lines(self._path, self._topology.lines())
        except (OSError, MemoryError) as error:
            self._complain("topology: %s can't be saved: %s" % (self._path, error))
            self._changed_ms = now_ms
            self._wait_ms = _RETRY_MS

    def _get(self, after="", unless=None):
        topology = self._topology
        page, more = ([], None) if unless == topology.digest else topology.entries(str(after))
        told = self._summary()
        told["entries"] = page  # pyright: ignore[reportArgumentType]
        told["next"] = more  # pyright: ignore[reportArgumentType]
        return told

    def _put(self, entries):
        if self._topology.merge(entries):
            self._fresh = True
            self._properties.set("topology.version", self._topology.version)
            self._properties.set("topology.digest", self._topology.digest)
            self.begin()
        return self._summary()

    def _summary(self):
        return {"version": self._topology.version, "digest": self._topology.digest}

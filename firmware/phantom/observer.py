"""The other end of `properties`: follows what a peer lets know, and notices what it has missed.

A delta's number that does not follow on the one before means that one was lost: then the snapshot
is asked for again. A module of its own, for boards have no use for it.
"""

from .rpc import BUSY, INVALID_PARAMS, TIMED_OUT, RpcError
from .wire import const

# What an observer believes a peer to have; more is dropped.
MAX_PROPERTIES = const(128)
# A page is a round trip and a board's loop, behind at most the audio that is under way already.
OBSERVE_TIMEOUT_MS = const(2000)


class Observer:
    """Follows the properties of a peer; `values` has them by name.

    rpc has call(method, params, timeout_ms, on_result) and register(name, method), as
    `phantom.rpc.Rpc`. on_change(name, value) runs for each value that is new, None for one that is
    gone. Call `start` whenever a connection stands and `tick` a few times a second.
    """

    def __init__(self, rpc, on_change=None, names=None):
        self._rpc = rpc
        self._names = names
        self._watchers = [on_change] if on_change else []
        self.values = {}
        self.current = False  # a whole snapshot has come, and no delta is missing
        self.gaps = 0  # how often one was
        self._version = None  # None: deltas mean nothing before the snapshot's first page
        self._asking = False
        self._wanted = False  # a snapshot is to be asked for
        self._generation = 0  # of snapshots, so that pages of an older one are let go
        self._seen = set()  # names in the pages so far
        rpc.register("properties.changed", self._changed)

    def watch(self, on_change):
        """Tell another of changes, beginning with all that is known."""
        self._watchers.append(on_change)
        for name, value in self.values.items():
            on_change(name, value)

    def unwatch(self, on_change):
        """Tell it no more."""
        self._watchers.remove(on_change)

    def start(self):
        """A connection stands: ask for everything."""
        self.stop()
        self._wanted = True
        self.tick()

    def stop(self):
        """The connection is gone: what is known is what was."""
        self._generation += 1
        self._version = None
        self._asking = self._wanted = self.current = False

    def tick(self):
        """Ask again where asking failed."""
        if self._wanted and not self._asking:
            self._wanted = False
            self._version = None
            self._seen = set()
            self._generation += 1
            self._ask(None)

    def _ask(self, after):
        params = {}
        if self._names is not None:
            params["names"] = self._names
        if after is not None:
            params["after"] = after
        generation = self._generation
        self._asking = True
        self._rpc.call(
            "properties.observe",
            params,
            OBSERVE_TIMEOUT_MS,
            lambda result, error: self._answered(generation, after, result, error),
        )

    def _answered(self, generation, after, result, error):
        if generation != self._generation:
            return
        self._asking = False
        if error is not None:
            # Any other error is the peer's last word on it.
            self._wanted = error.code in (TIMED_OUT, BUSY)
            return
        values, version, following = _parts(result)
        if values is None or (following is not None and after is not None and following <= after):
            return  # nonsense: asking again would get more of it
        if after is None:
            self._version = version
        for name in values:
            if len(self._seen) < MAX_PROPERTIES:
                self._seen.add(name)
        self._take(values)
        if following is not None and len(self._seen) < MAX_PROPERTIES:
            self._ask(following)
            return
        for name in [name for name in self.values if name not in self._seen]:
            del self.values[name]
            self._tell(name, None)
        self.current = not self._wanted

    def _changed(self, version, values):
        if not isinstance(version, int) or not isinstance(values, dict):
            raise RpcError(INVALID_PARAMS, "a change has a version and values")
        if self._version is None:
            return  # the snapshot that is on its way has it
        if version != self._version + 1:
            self.gaps += 1
            self._version = None
            self.current = False
            self._wanted = True
            return
        self._version = version
        for name in values:
            self._seen.add(name)
        self._take(values)

    def _take(self, values):
        for name, value in values.items():
            known = name in self.values
            if not known and len(self.values) >= MAX_PROPERTIES:
                continue
            if not known or self.values[name] != value:
                self.values[name] = value
                self._tell(name, value)

    def _tell(self, name, value):
        for on_change in self._watchers:
            on_change(name, value)


def _parts(result):
    """(values, version, next) of an answer, or Nones for what is none."""
    if isinstance(result, dict):
        values = result.get("values")
        version = result.get("version")
        following = result.get("next")
        right = isinstance(values, dict) and isinstance(version, int)
        if right and (following is None or (isinstance(following, str) and values)):
            return values, version, following
    return None, None, None

"""What an end lets others know of itself, kept up to date: the same code on boards and boxes.

A *property* is a name, "service.property", and a value that JSON can hold. An `observer`
gets a snapshot, in pages, and then deltas, numbered from 1.

    properties.observe {names?, after?}   {"version", "values", "next"}; names are prefixes
    properties.read    {names?, after?}   {"values", "next"}
    properties.set     {name, value}      the value it has now
    properties.changed {version, values}  to observers, at most once a chore
"""

import json

from .rpc import INVALID_PARAMS, RpcError
from .wire import const

# Values that go in one message: well below the largest, for a board has to find the memory.
PAGE_BYTES = const(1400)
# The longest JSON of one value; a longer one reads null. A message is at most mux.MAX_MESSAGE.
MAX_VALUE_BYTES = const(2300)
MAX_PREFIXES = const(16)
MAX_NAME_CHARS = const(48)


class _Subscription:
    """One peer that observes."""

    def __init__(self, rpc, prefixes):
        self.rpc = rpc
        self.prefixes = prefixes
        self.version = 0
        self.dirty = set()  # names whose newest value it has not been sent


class Properties:
    """The properties of this end. Also a service of a device: serve, lost, chore."""

    def __init__(self):
        self._values = {}
        self._constant = set()
        self._writable = {}  # name -> function(value) giving the value to keep
        self._subscriptions = []

    # What the owner does

    def declare(self, name, value, constant=False, writable=None):
        """Have a property. `writable(value)` returns what to keep of a peer's value or raises
        RpcError; without it, peers can only read."""
        if name in self._values:
            raise ValueError("property %s is declared already" % name)
        self._values[name] = value
        if constant:
            self._constant.add(name)
        if writable:
            self._writable[name] = writable

    def set(self, name, value):
        """Change a value; observers hear of it in the next chore. An equal one is no change.

        A list or dict must be a new one: one that was changed in place is equal to itself.
        """
        if self._values[name] == value:
            return
        if name in self._constant:
            raise ValueError("property %s is constant" % name)
        self._values[name] = value
        for subscription in self._subscriptions:
            if _matches(name, subscription.prefixes):
                subscription.dirty.add(name)

    def get(self, name):
        """The value now."""
        return self._values[name]

    def snapshot(self):
        """All values by name."""
        return dict(self._values)

    # What peers do

    def attach(self, rpc):
        """Serve a peer."""
        rpc.register("properties.observe", lambda **asked: self._observe(rpc, **asked))
        rpc.register("properties.read", self._read)
        rpc.register("properties.set", self._set)

    def detach(self, rpc):
        """That peer is gone, or wants to hear no more."""
        for subscription in self._subscriptions:
            if subscription.rpc is rpc:
                self._subscriptions.remove(subscription)
                return

    def serve(self, connection):
        """As a service of a device: a peer has come."""
        self.attach(connection.rpc)

    def lost(self, connection):
        """As a service of a device: a peer has gone."""
        self.detach(connection.rpc)

    def chore(self, now_ms):
        """Tell observers what has changed since the last call, a page each."""
        for subscription in self._subscriptions:
            if subscription.dirty:
                self._tell(subscription)

    def _tell(self, subscription):
        values, _ = self._page(sorted(subscription.dirty), None)
        told = {"version": subscription.version + 1, "values": values}
        # What finds no room now goes with the next chore.
        if subscription.rpc.notify("properties.changed", told):
            subscription.version += 1
            for name in values:
                subscription.dirty.discard(name)

    def _observe(self, rpc, names=None, after=None):
        prefixes = _prefixes(names)
        if after is None:
            self.detach(rpc)
            self._subscriptions.append(_Subscription(rpc, prefixes))
        answer = self._read(prefixes, after)
        answer["version"] = 0
        for subscription in self._subscriptions:
            if subscription.rpc is rpc:
                answer["version"] = subscription.version
        return answer

    def _read(self, names=None, after=None):
        prefixes = _prefixes(names)
        if after is not None and not isinstance(after, str):
            raise RpcError(INVALID_PARAMS, "after must be the name that the last page ended with")
        chosen = sorted([name for name in self._values if _matches(name, prefixes)])
        values, following = self._page(chosen, after)
        return {"values": values, "next": following}

    def _page(self, names, after):
        """As many of the sorted names as go in a message, and the last of them if more follow."""
        values = {}
        size = 0
        last = None
        for name in names:
            if after is not None and name <= after:
                continue
            value = self._values[name]
            cost = len(json.dumps(value).encode())
            if cost > MAX_VALUE_BYTES:
                value, cost = None, 4
            cost += len(name) + 6
            if values and size + cost > PAGE_BYTES:
                return values, last
            values[name] = value
            size += cost
            last = name
        return values, None

    def _set(self, name, value):
        if not isinstance(name, str) or name not in self._values:
            raise RpcError(INVALID_PARAMS, "no property %s" % str(name)[:MAX_NAME_CHARS])
        if name not in self._writable:
            raise RpcError(INVALID_PARAMS, "%s can only be read" % name)
        self.set(name, self._writable[name](value))
        return self._values[name]


def _prefixes(names):
    if names is None:
        return None
    right = isinstance(names, (list, tuple)) and len(names) <= MAX_PREFIXES
    if right:
        for name in names:
            right = right and isinstance(name, str) and len(name) <= MAX_NAME_CHARS
    if not right:
        text = "names must be a list of at most %d beginnings of names" % MAX_PREFIXES
        raise RpcError(INVALID_PARAMS, text)
    return names


def _matches(name, prefixes):
    if prefixes is None:
        return True
    return any(name.startswith(prefix) for prefix in prefixes)

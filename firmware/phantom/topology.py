"""Which devices there are, which systems they form, names, trims: the same on every node.

Every box and board holds a copy. It is a set of entries that each stand alone:

    key              value, or None for one that was deleted
    d:<device id>    name, system, side, trim_us, level_db10, max_volume
    s:<system id>    name

Each bears a stamp, (counter, author): a change takes the highest counter its author has seen,
plus one. Of two versions of an entry the one with the higher stamp holds, wherever and in whatever
order they meet; were two changes ever made under one stamp, the greater content decides. So copies
that have heard the same changes are equal, clocks play no part, and who was away obeys the newer.

What entries mean together `authority` works out, by rules that need nobody to agree first.
"""

import json
from binascii import hexlify
from hashlib import sha256

from .wire import const

SIDES = ("both", "left", "right", "mono")
# A pair's id begins so and a device's does not: a solo system has its device's id.
PAIR = "pair-"
TRIM_US = const(200000)  # at most, either way
LEVEL_DB10 = const(-240)  # the least: 24 dB down
MAX_VOLUME = const(10000)
# 100 devices with as many rooms, and what was forgotten lately; 30 KB of a board's heap.
MAX_ENTRIES = const(256)
MAX_COUNTER = const(0x3FFFFFFF)
MAX_ID_BYTES = const(32)
MAX_NAME_BYTES = const(64)
# A page of entries as JSON: a board finds the memory for it beside everything else.
PAGE_BYTES = const(1400)
_DIGEST_BYTES = const(8)

_DEVICE = (
    ("name", "", MAX_NAME_BYTES),
    ("system", "", MAX_ID_BYTES),
    ("side", SIDES, 0),
    ("trim_us", -TRIM_US, TRIM_US),
    ("level_db10", LEVEL_DB10, 0),
    ("max_volume", 0, MAX_VOLUME),
)
_SYSTEM = (("name", "", MAX_NAME_BYTES),)


class TopologyError(ValueError):
    """An entry is not one; the message names the field and what it should be."""


class Topology:
    """One node's copy, as a board needs it: `authority` adds what a box does with it."""

    def __init__(self):
        self._entries = {}  # key -> (counter, author, content); content is a tuple or None
        self._digest = None
        self.version = 0  # the highest counter seen

    # Changes

    def merge(self, entries):
        """Take in another node's entries, all or none; returns the keys that changed here.

        Raises TopologyError naming the field that is not as it should be.
        """
        if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
            raise TopologyError("entries must be a list of at most %d" % MAX_ENTRIES)
        return self._take([parsed(e, "entries[%d]" % i) for i, e in enumerate(entries)])

    def _take(self, arrivals):
        merged = dict(self._entries)
        changed = []
        for key, entry in arrivals:
            held = merged.get(key)
            if held is None or order(entry) > order(held):
                merged[key] = entry
                if key not in changed:
                    changed.append(key)
        if not changed:
            return changed
        _bound(merged)
        self._entries = merged
        self._digest = None
        self.version = max(self.version, *(entry[0] for _, entry in arrivals))
        return [key for key in changed if key in merged]

    # What travels and what is kept

    def entries(self, after="", budget=PAGE_BYTES):
        """(entries as JSON can hold them, in order of keys beyond `after`; the key to go on from).

        As many as fit `budget` bytes, at least one; the second is None when that was all.
        """
        page = []
        last = None
        for key in sorted(self._entries):
            if key > after:
                entry = self._entry(key)
                budget -= len(json.dumps(entry).encode()) + 2
                if page and budget < 0:
                    return page, last
                page.append(entry)
                last = key
        return page, None

    def _entry(self, key):
        counter, author, content = self._entries[key]
        value = None
        if content is not None:
            value = {name: content[i] for i, (name, _, _) in enumerate(fields_of(key))}
        return [key, counter, author, value]

    def lines(self):
        """The topology as lines of text, in order of keys: what is kept in flash."""
        for key in sorted(self._entries):
            yield _line(key, self._entries[key])

    def restore(self, lines):
        """Take in what `lines` gave, all or nothing. Raises ValueError for a line that is none."""
        self._take([_arrival(line, "line %d" % (i + 1)) for i, line in enumerate(lines)])

    @property
    def digest(self):
        """16 hex digits that two copies share if they hold the same."""
        if self._digest is None:
            total = sha256()
            for line in self.lines():
                total.update((line + "\n").encode())
            self._digest = hexlify(total.digest()[:_DIGEST_BYTES]).decode()
        return self._digest

    # What it means

    def device(self, device, name=None):
        """A device's entry as an object; without one, the defaults of a device called `name`."""
        entry = self._entries.get("d:" + device)
        if entry is None or entry[2] is None:
            content = (name or device, device, "both", 0, 0, MAX_VOLUME)
        else:
            content = entry[2]
        return {field[0]: content[i] for i, field in enumerate(_DEVICE)}


def _arrival(line, where):
    """(key, entry) from a line that `lines` gave."""
    parts = line.split("\t")
    fields = fields_of(parts[0])
    if not fields or len(parts) not in (3, 3 + len(fields)):
        raise TopologyError(where + " is no entry")
    value = None
    if len(parts) > 3:
        value = {}
        for (name, low, _), text in zip(fields, parts[3:]):
            value[name] = int(text) if isinstance(low, int) else text
    return parsed((parts[0], int(parts[1]), parts[2], value), where)


def _line(key, entry):
    parts = [key, str(entry[0]), entry[1]]
    if entry[2] is not None:
        parts.extend(str(part) for part in entry[2])
    return "\t".join(parts)


def order(entry):
    content = entry[2]
    return (entry[0], entry[1], "" if content is None else "\t".join(str(c) for c in content))


def _bound(entries):
    """Let go of the oldest deletions when there are too many entries."""
    while len(entries) > MAX_ENTRIES:
        dead = [(order(entry), key) for key, entry in entries.items() if entry[2] is None]
        if not dead:
            raise TopologyError(
                "topology: over %d entries; forget devices that are gone" % MAX_ENTRIES
            )
        del entries[min(dead)[1]]


def fields_of(key):
    if not isinstance(key, str):
        return ()
    return _DEVICE if key.startswith("d:") else _SYSTEM if key.startswith("s:") else ()


def parsed(entry, where):
    if not isinstance(entry, (list, tuple)) or len(entry) != 4:
        raise TopologyError("%s must be [key, counter, author, value]" % where)
    key, counter, author, value = entry
    _whole(counter, 1, MAX_COUNTER, where + ": counter")
    _text(author, MAX_ID_BYTES, where + ": author")
    return key, (counter, author, content_of(key, value, where))


def content_of(key, value, where):
    """The fields of a value in their order, checked; None for a deletion."""
    fields = fields_of(key)
    if not fields:
        raise TopologyError("%s: key must be d:<device id> or s:<system id>" % where)
    _text(key[2:], MAX_ID_BYTES, where + ": id")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TopologyError("%s: value must be an object or null" % where)
    for name in value:
        if name not in [field[0] for field in fields]:
            raise TopologyError("%s: no such field: %s" % (where, name))
    content = tuple(_checked(value, field, where) for field in fields)
    if fields is _DEVICE:
        if key[2:].startswith(PAIR):
            raise TopologyError("%s: a device's id must not begin with %s" % (where, PAIR))
        if content[1] != key[2:] and not content[1].startswith(PAIR):
            raise TopologyError(
                "%s: system must be the device's own id or begin with %s" % (where, PAIR)
            )
    return content


def _checked(value, field, where):
    name, low, high = field
    if name not in value:
        raise TopologyError("%s: %s is missing" % (where, name))
    content = value[name]
    where = "%s: %s" % (where, name)
    if isinstance(low, int):
        _whole(content, low, high, where)
    elif low:
        if content not in low:
            raise TopologyError("%s must be one of %s" % (where, ", ".join(low)))
    else:
        _text(content, high, where)
    return content


def _whole(value, low, high, where):
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise TopologyError("%s must be a whole number from %d to %d" % (where, low, high))


def _text(value, limit, where):
    if not isinstance(value, str) or not value.strip(" "):
        raise TopologyError("%s must be a text that is not empty" % where)
    for char in value:
        code = ord(char)
        if code < 32 or 127 <= code < 160 or 0xD800 <= code < 0xE000:
            raise TopologyError("%s must hold no control characters" % where)
    if len(value.encode()) > limit:
        raise TopologyError("%s must be at most %d bytes" % (where, limit))

"""A device's copy of the topology: obeyed at once, saved when nothing plays, found again."""

import os

from phantom.authority import Authority
from phantom.properties import Properties
from phantom.topology import TopologyError
from phantom.topology_copy import TopologyCopy
from tests.portable import raises

PORTABLE = True

_PATH = "/tmp/phantom-topology-test"


class _Rpc:
    def __init__(self):
        self.methods = {}

    def register(self, name, method):
        self.methods[name] = method

    def call(self, name, **params):
        return self.methods[name](**params)


class _Connection:
    def __init__(self):
        self.rpc = _Rpc()


class _Device:
    """A copy and what it makes its device do."""

    def __init__(self):
        self.properties = Properties()
        self.playing = False
        self.obeyed = []
        self.copy = TopologyCopy(
            "kitchen", "Kitchen", self.properties, self._is_playing, self.obeyed.append, _PATH
        )
        self.copy.begin()
        connection = _Connection()
        self.copy.serve(connection)
        self.call = connection.rpc.call

    def _is_playing(self):
        return self.playing


def _remove():
    for tail in ("", ".old", ".new"):
        try:
            os.remove(_PATH + tail)
        except OSError:
            pass


def _device(name, **more):
    value = {"name": name, "system": "kitchen", "side": "both"}
    value.update(trim_us=0, level_db10=0, max_volume=10000)
    value.update(more)
    return value


def _changed(name="Küche", **more):
    box = Authority("box")
    box.apply("d:kitchen", _device(name, **more))
    return box.entries()[0]


def _saved():
    try:
        os.stat(_PATH)
    except OSError:
        return False
    return True


def test_an_entry_is_obeyed_at_once_and_saved_after_a_quiet_second():
    _remove()
    device = _Device()
    assert device.obeyed == [_device("Kitchen")]
    told = device.call("topology.put", entries=_changed(trim_us=700))
    assert told["version"] == 1 == device.properties.get("topology.version")
    assert told["digest"] == device.properties.get("topology.digest")
    assert device.obeyed[1:] == [_device("Küche", trim_us=700)]
    device.copy.chore(1000)
    device.copy.chore(1999)
    assert not _saved()
    device.copy.chore(2000)
    assert _saved()
    again = _Device()
    assert again.obeyed == [_device("Küche", trim_us=700)]
    assert again.call("topology.get")["digest"] == told["digest"]


def test_nothing_is_written_while_music_plays_nor_in_the_second_after():
    _remove()
    device = _Device()
    device.playing = True
    device.call("topology.put", entries=_changed())
    for now in range(0, 60_000, 500):
        device.copy.chore(now)
    device.playing = False
    device.copy.chore(60_000)
    assert not _saved()
    device.copy.chore(60_500)
    assert _saved()


def test_what_is_known_already_is_neither_saved_nor_obeyed_again():
    _remove()
    device = _Device()
    device.call("topology.put", entries=_changed())
    device.copy.chore(0)
    device.copy.chore(1000)
    os.remove(_PATH)
    device.call("topology.put", entries=_changed())
    device.copy.chore(2000)
    device.copy.chore(9000)
    assert not _saved()
    assert len(device.obeyed) == 2


def test_a_copy_is_read_in_pages_and_not_at_all_if_it_is_the_same():
    _remove()
    device = _Device()
    box = Authority("box")
    for n in range(120):
        box.apply("s:" + str(100 + n), {"name": "Room " + str(n)})
    after = ""
    while after is not None:
        page, after = box.entries(after)
        device.call("topology.put", entries=page)
    read = []
    after = ""
    pages = 0
    while after is not None:
        told = device.call("topology.get", after=after)
        read.extend(told["entries"])
        after = told["next"]
        pages += 1
    assert len(read) == 120
    assert 3 < pages < 10
    told = device.call("topology.get", unless=box.digest)
    assert told == {"version": 120, "digest": box.digest, "entries": [], "next": None}


def test_malformed_entries_change_nothing():
    _remove()
    device = _Device()
    for entries in (None, [7], [["d:kitchen", 1, "box", {"name": "Küche"}]]):
        with raises(TopologyError):
            device.call("topology.put", entries=entries)
    assert device.properties.get("topology.version") == 0
    assert len(device.obeyed) == 1


def test_a_copy_damaged_in_flash_starts_empty_says_so_and_is_written_anew():
    _remove()
    for garbage in (b"", b"\xff\x00garbage", b"s:kitchen\t1\tbox\tKitchen\n", b"{}\n" * 30000):
        for tail in ("", ".old", ".new"):
            with open(_PATH + tail, "wb") as f:
                f.write(garbage)
        device = _Device()
        assert "learnt anew" in device.copy.fault
        assert device.properties.get("topology.version") == 0
        device.call("topology.put", entries=_changed())
        device.copy.chore(0)
        device.copy.chore(1000)
        assert _Device().obeyed == [_device("Küche")]
    _remove()


def test_a_flash_that_fails_is_tried_again_later():
    _remove()
    device = _Device()
    device.call("topology.put", entries=_changed())
    os.mkdir(_PATH + ".new")
    device.copy.chore(0)
    device.copy.chore(1000)
    assert "can't be saved" in device.copy.fault
    os.rmdir(_PATH + ".new")
    device.copy.chore(60_000)
    assert not _saved()
    device.copy.chore(61_000)
    assert _saved()
    _remove()

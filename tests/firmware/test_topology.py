"""Topology: whatever happens in whatever order, all copies agree, and on something sane."""

import json

from phantom.authority import Authority, pair_id
from phantom.topology import MAX_COUNTER, MAX_ENTRIES, TopologyError
from tests.portable import Random, raises

PORTABLE = True
HEAP_KIB = 2048


def _device(system, name="Box", side="both", **more):
    value = {"name": name, "system": system, "side": side}
    value.update(trim_us=0, level_db10=0, max_volume=10000)
    value.update(more)
    return value


def _paired(topology, left, right):
    system = pair_id(left, right)
    topology.apply_all(
        (
            ("d:" + left, _device(system, left, "left")),
            ("d:" + right, _device(system, right, "right")),
        )
    )
    return system


def _everything(topology):
    """As pages, over JSON and back, as it travels."""
    entries = []
    after = ""
    while after is not None:
        page, after = topology.entries(after, 500)
        assert len(json.dumps(page)) <= 500 or len(page) == 1
        entries.extend(json.loads(json.dumps(page)))
    return entries


def _sync(one, other):
    there = _everything(other)
    one.merge(there)
    other.merge(one.ahead_of(there))


def _random_change(random, topology, devices):
    device = devices[random.below(len(devices))]
    kind = random.below(6)
    if kind == 0:
        topology.apply("d:" + device, None)
    elif kind == 1:
        topology.apply("s:" + device, {"name": "Room " + str(random.below(3))})
    elif kind == 2:
        other = devices[random.below(len(devices))]
        if other != device:
            _paired(topology, device, other)
    elif kind == 3:
        value = topology.device(device)
        value["trim_us"] = random.between(-200000, 200000)
        topology.apply("d:" + device, value)
    else:
        topology.apply("d:" + device, _device(device, "Name " + str(random.below(3))))


def _views(nodes):
    return [(n.version, n.digest, n.systems()) for n in nodes]


def test_any_history_with_any_partitions_ends_in_one_view():
    devices = ["kitchen", "bath", "left", "right", "küche", "box"]
    for seed in range(1, 31):
        random = Random(seed)
        nodes = [Authority("node-" + str(n)) for n in range(5)]
        for _ in range(40):
            halves = random.below(5)  # who meets whom now: nodes below it, nodes from it on
            for _ in range(random.below(4)):
                _random_change(random, nodes[random.below(5)], devices)
            one, other = random.below(5), random.below(5)
            if one != other and (one < halves) == (other < halves):
                _sync(nodes[one], nodes[other])
        # The network heals: pairs meet in random order until everyone has met everyone twice.
        for _ in range(2):
            meetings = [(i, j) for i in range(5) for j in range(5) if i != j]
            while meetings:
                i, j = meetings.pop(random.below(len(meetings)))
                _sync(nodes[i], nodes[j])
        first = _views(nodes)[0]
        assert all(view == first for view in _views(nodes)), seed
        assert first[0] > 0


def test_merging_is_commutative_associative_and_idempotent():
    for seed in range(1, 21):
        random = Random(seed)
        parts = []
        for n in range(4):
            node = Authority("node-" + str(n))
            for _ in range(6):
                _random_change(random, node, ["a", "b", "c", "d"])
            parts.append(_everything(node))
        digests = set()
        for _ in range(6):
            order = list(range(4))
            node = Authority("reader")
            while order:
                entries = list(parts[order.pop(random.below(len(order)))])
                node.merge(entries)
                assert node.merge(entries) == []
            digests.add(node.digest)
        assert len(digests) == 1


def test_every_view_is_sane():
    for seed in range(1, 41):
        random = Random(seed)
        node = Authority("box")
        devices = ["a", "b", "c", "d", "e"]
        for _ in range(random.below(30)):
            _random_change(random, node, devices)
        systems = node.systems([(d, "speaker") for d in devices])
        members = [device for system in systems for device, _ in system["devices"]]
        assert sorted(members) == devices  # each device in exactly one system
        assert len({s["id"] for s in systems}) == len(systems)
        assert len({s["name"].lower() for s in systems}) == len(systems)
        for system in systems:
            sides = [side for _, side in system["devices"]]
            assert len(sides) == 1 or sides == ["left", "right"]


def test_the_later_of_two_changes_holds_and_a_tie_goes_to_the_greater_author():
    one, other = Authority("a"), Authority("b")
    one.apply("s:kitchen", {"name": "One"})
    other.apply("s:kitchen", {"name": "Other"})
    _sync(one, other)
    assert one.systems([("kitchen", "k")])[0]["name"] == "Other"
    one.apply("s:kitchen", {"name": "Later"})
    _sync(other, one)
    assert other.systems([("kitchen", "k")])[0]["name"] == "Later"


def test_two_changes_under_one_stamp_still_end_alike():
    # A box restored from a backup counts again from where it once was.
    one, other = Authority("box"), Authority("box")
    one.apply("s:kitchen", {"name": "One"})
    other.apply("s:kitchen", {"name": "Other"})
    _sync(one, other)
    assert one.digest == other.digest
    other.apply("s:kitchen", None)
    one.apply("s:kitchen", {"name": "Third"})
    _sync(other, one)
    assert one.digest == other.digest


def test_a_device_that_was_away_for_a_month_obeys_the_newer_version():
    box, away = Authority("box"), Authority("kitchen")
    box.apply("d:kitchen", _device("kitchen", "Kitchen"))
    box.apply("d:bath", _device("bath", "Bath"))
    _sync(away, box)
    for n in range(30):
        box.apply("d:kitchen", _device("kitchen", "Kitchen " + str(n)))
    box.apply("d:bath", None)
    assert box.version == 33
    _sync(away, box)
    assert away.device("kitchen")["name"] == "Kitchen 29"
    assert away.devices() == ["kitchen"]
    # Its own next change comes after all it has seen.
    assert away.apply("s:kitchen", {"name": "Cuisine"}) == [34, "kitchen"]


def test_what_was_forgotten_stays_forgotten_when_an_old_copy_returns():
    box, old = Authority("box"), Authority("old")
    box.apply("d:kitchen", _device("kitchen"))
    _sync(old, box)
    box.apply("d:kitchen", None)
    _sync(box, old)
    assert box.devices() == [] == old.devices()


def test_two_offline_pairings_of_one_speaker_leave_one_pair_and_a_solo():
    one, other = Authority("a"), Authority("b")
    _paired(one, "left", "first")
    _paired(other, "left", "second")
    _sync(one, other)
    wanted = [
        {"id": "first", "name": "first", "devices": [("first", "both")]},
        {
            "id": pair_id("left", "second"),
            "name": "left + second",
            "devices": [("left", "left"), ("second", "right")],
        },
    ]
    assert one.systems() == wanted == other.systems()


def test_two_offline_pairings_with_other_sides_leave_a_pair():
    one, other = Authority("a"), Authority("b")
    _paired(one, "here", "there")
    _paired(other, "there", "here")
    _sync(one, other)
    assert one.systems() == other.systems()
    assert one.systems()[0]["devices"] == [("there", "left"), ("here", "right")]


def test_a_device_without_an_entry_is_a_room_of_its_own():
    here = [("kitchen", "Kitchen"), ("bath", "")]
    assert Authority("box").systems(here) == [
        {"id": "bath", "name": "bath", "devices": [("bath", "both")]},
        {"id": "kitchen", "name": "Kitchen", "devices": [("kitchen", "both")]},
    ]
    assert Authority("box").device("kitchen", "Kitchen") == _device("kitchen", "Kitchen")


def test_equal_names_get_numbers():
    here = [("a", "Kitchen"), ("b", "KITCHEN"), ("c", "Kitchen 2")]
    names = [system["name"] for system in Authority("box").systems(here)]
    assert names == ["Kitchen", "KITCHEN 2", "Kitchen 2 2"]


def test_lines_give_the_topology_back():
    node = Authority("box")
    _paired(node, "küche", "bad")
    node.apply("s:kitchen", {"name": "Große Küche"})
    node.apply("d:old", None)
    copy = Authority("other")
    copy.restore(list(node.lines()))
    assert copy.digest == node.digest
    assert copy.version == node.version == 3


def test_a_line_that_is_no_entry_is_named_and_nothing_is_taken_in():
    node = Authority("box")
    for line in ("", "garbage", "s:bath\tone\tbox", "s:bath\t1", "d:bath\t1\tbox\tBath"):
        with raises(ValueError):
            node.restore(["s:kitchen\t1\tbox\tKitchen", line])
    assert node.version == 0


def test_the_digest_is_the_same_on_every_interpreter():
    node = Authority("box")
    _paired(node, "küche", "bad")
    node.apply("d:old", None)
    assert node.digest == "3e26054792a1c016"


def test_a_malformed_entry_is_refused_by_the_name_of_its_field_and_nothing_changes():
    good = ["s:bath", 1, "box", {"name": "Bath"}]
    device = "d:kitchen"
    wrong = (
        (None, "entries[1] must be"),
        ([device, 1, "box"], "entries[1] must be"),
        ([7, 1, "box", None], "entries[1]: key"),
        (["x:kitchen", 1, "box", None], "entries[1]: key"),
        (["d:", 1, "box", None], "entries[1]: id"),
        (["d:" + "k" * 33, 1, "box", None], "entries[1]: id"),
        ([device, 0, "box", None], "entries[1]: counter"),
        ([device, True, "box", None], "entries[1]: counter"),
        ([device, 1.5, "box", None], "entries[1]: counter"),
        ([device, MAX_COUNTER + 1, "box", None], "entries[1]: counter"),
        ([device, 1, "", None], "entries[1]: author"),
        ([device, 1, ["box"], None], "entries[1]: author"),
        ([device, 1, "box", []], "entries[1]: value"),
        ([device, 1, "box", {}], "entries[1]: name is missing"),
        ([device, 1, "box", _device("kitchen", "")], "entries[1]: name"),
        ([device, 1, "box", _device("kitchen", "a\tb")], "entries[1]: name"),
        ([device, 1, "box", _device("kitchen", "n" * 65)], "entries[1]: name"),
        ([device, 1, "box", _device("bath")], "entries[1]: system"),
        (["d:pair-1", 1, "box", _device("pair-1")], "entries[1]: a device's id"),
        ([device, 1, "box", _device("kitchen", side="front")], "entries[1]: side"),
        ([device, 1, "box", _device("kitchen", side=[])], "entries[1]: side"),
        ([device, 1, "box", _device("kitchen", trim_us=200001)], "entries[1]: trim_us"),
        ([device, 1, "box", _device("kitchen", level_db10=1)], "entries[1]: level_db10"),
        ([device, 1, "box", _device("kitchen", max_volume="9")], "entries[1]: max_volume"),
        ([device, 1, "box", _device("kitchen", colour="red")], "no such field: colour"),
    )
    for entry, fault in wrong:
        node = Authority("box")
        with raises(TopologyError) as refused:
            node.merge([good, entry])
        assert fault in str(refused.value), (fault, str(refused.value))
        assert node.version == 0
    for entries in (None, {}, "text", [good] * (MAX_ENTRIES + 1)):
        with raises(TopologyError):
            Authority("box").merge(entries)


def test_no_mutation_of_good_entries_harms_a_copy():
    random = Random(3)
    junk = (None, True, -1, 1 << 40, 1.5, "", "d:x", "\ud7ff", [], {}, [[]], {"name": 1})
    source = Authority("box")
    _paired(source, "left", "right")
    source.apply("s:kitchen", {"name": "Kitchen"})
    node = Authority("node")
    refused = 0
    for _ in range(2000):
        entries = _everything(source)
        entry = entries[random.below(len(entries))]
        at = random.below(5)
        value = entry[3]
        if at < 4:
            entry[at] = junk[random.below(len(junk))]
        else:
            names = sorted(value)
            value[names[random.below(len(names))]] = junk[random.below(len(junk))]
        try:
            node.merge(entries)
        except TopologyError:
            refused += 1
        assert len(node.systems()) <= 3
    assert refused > 1000
    Authority("copy").restore(list(node.lines()))


def test_a_copy_stays_within_bounds_and_lets_go_of_the_oldest_deletions_first():
    node = Authority("box")
    for n in range(MAX_ENTRIES):
        node.apply("s:" + str(n), {"name": "Room"} if n >= 2 else None)
    node.apply("s:one more", {"name": "Room"})
    node.apply("s:and one", {"name": "Room"})
    assert len(list(node.lines())) == MAX_ENTRIES
    with raises(TopologyError) as full:
        node.apply("s:too many", {"name": "Room"})
    assert "forget devices" in str(full.value)


def test_counters_end_with_a_message_and_not_with_a_wrap():
    node = Authority("box")
    node.merge([["s:kitchen", MAX_COUNTER, "other", {"name": "Kitchen"}]])
    with raises(TopologyError):
        node.apply("s:kitchen", {"name": "Mine"})

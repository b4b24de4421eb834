"""The registrar alone: what it takes, what it refuses, and what it tells of its peers."""

from phantom.wire import discovery, mux
from tests.firmware.lan import HOME, KEY, Lan

PORTABLE = True
HEAP_KIB = 2048

_STRANGE = b"\0" * 8


def _house(count, seed=1, loss=0, **options):
    lan = Lan(seed, loss=loss, **options)
    for number in range(count):
        lan.add(number).start()
    lan.run(5000)
    return lan


def _kinds(station, identity):
    return [(kind, reason) for _, kind, who, reason in station.changes if who == identity]


def _listed(identity, stations):
    return any(identity in station.ids() for station in stations)


def _record(lan):
    """All datagrams from now on, as (sender, datagram, address)."""
    heard = []
    send = lan.send

    def listen(sender, datagram, address):
        heard.append((sender, datagram, address))
        send(sender, datagram, address)

    lan.send = listen
    return heard


def test_devices_that_start_know_each_other_with_all_that_they_said():
    lan = _house(3)
    for station in lan.stations:
        others = sorted(s.registrar.me.id for s in lan.stations if s is not station)
        assert station.ids() == others
    peer = lan.stations[0].registrar.peer("d002")
    assert (peer.name, peer.port, peer.services) == ("room 2", 4770, {"link": 4770})
    assert (peer.addresses, peer.role, peer.boot) == (["10.0.0.3"], mux.ROLE_DEVICE, 1)
    assert [p.id for p in lan.stations[0].registrar.find("link")] == ["d001", "d002"]
    assert lan.stations[0].registrar.find("clock") == []
    assert lan.stations[0].registrar.peer("nobody") is None
    assert _kinds(lan.stations[0], "d001") == [("added", "")]


def test_a_newcomer_is_told_of_a_settled_house_at_once():
    lan = _house(4)
    newcomer = lan.add(9)
    newcomer.start()
    took = lan.run_until(lambda: len(newcomer.ids()) == 4, 3000)
    assert took is not None
    assert took < 800


def test_a_clean_goodbye_is_seen_at_once_although_broadcasts_wait():
    lan = _house(4)
    leaver = lan.stations[3]
    leaver.registrar.goodbye()
    lan.run(100)
    for station in lan.stations[:3]:
        assert _kinds(station, "d003")[-1] == ("removed", "goodbye")
        assert "d003" not in station.ids()
    leaver.registrar.tick(lan.now)
    lan.run(3000)
    assert all("d003" not in station.ids() for station in lan.stations[:3])


def test_a_silent_death_is_known_within_three_seconds():
    for seed in range(1, 6):
        lan = _house(5, seed=seed, loss=30)
        lan.run(137 * seed)
        lan.stations[4].alive = False
        alive = lan.stations[:4]
        took = lan.run_until(lambda alive=alive: not _listed("d004", alive), 4000)
        assert took is not None
        assert took <= 3000
        assert all(_kinds(s, "d004")[-1] == ("removed", "timed out") for s in alive)


def test_lost_beacons_do_not_make_a_peer_disappear():
    lan = _house(6, seed=3, loss=100)
    for station in lan.stations:
        del station.changes[:]
    lan.run(60000)
    removed = [c for s in lan.stations for c in s.changes if c[1] == "removed"]
    assert removed == []


def test_who_stood_still_itself_gives_nobody_up_for_that():
    lan = _house(4)
    held_up = lan.stations[0]
    held_up.alive = False
    lan.run(4000)
    held_up.alive = True
    lan.stations[3].alive = False
    took = lan.run_until(lambda: "d003" not in held_up.ids(), 4000)
    assert took is not None
    assert 1000 < took <= 3000
    removed = [c for c in held_up.changes if c[1] == "removed"]
    assert [c[2:] for c in removed] == [("d003", "timed out")], removed


def test_a_peer_that_a_link_hears_is_not_given_up():
    lan = _house(2)
    lan.stations[1].alive = False
    for _ in range(10):
        lan.run(500)
        lan.stations[0].registrar.note_alive("d001", lan.now)
    assert lan.stations[0].ids() == ["d001"]
    lan.stations[0].registrar.note_alive("nobody", lan.now)
    lan.run(3000)
    assert lan.stations[0].ids() == []


def test_a_new_address_is_known_within_three_seconds_and_told_as_a_move():
    lan = _house(3, loss=30)
    mover = lan.stations[2]
    mover.host = "10.0.0.77"
    mover.registrar.set_addresses([mover.host], lan.now)
    others = lan.stations[:2]

    def moved():
        return all(s.registrar.peer("d002").addresses == ["10.0.0.77"] for s in others)

    took = lan.run_until(moved, 3000)
    assert took is not None, took
    assert all(_kinds(s, "d002")[-1] == ("updated", "moved") for s in others)


def test_a_device_without_an_address_says_nothing():
    lan = _house(2)
    lan.stations[1].registrar.set_addresses([], lan.now)
    heard = _record(lan)
    lan.run(2000)
    assert [sender for sender, _, _ in heard if sender is lan.stations[1]] == []
    lan.stations[1].registrar.goodbye()
    assert [sender for sender, _, _ in heard if sender is lan.stations[1]] == []


def test_a_restart_is_told_as_one_and_services_as_plain_changes():
    lan = _house(2)
    first = lan.stations[0]
    second = lan.stations[1]
    second.registrar.set_service("clock", 4771, lan.now)
    lan.run(500)
    assert _kinds(first, "d001")[-1] == ("updated", "")
    assert [p.id for p in first.registrar.find("clock")] == ["d001"]
    second.registrar.set_flag(discovery.SERVES_TIME, True, lan.now)
    second.registrar.set_name("bath", lan.now)
    lan.run(500)
    peer = first.registrar.peer("d001")
    assert (peer.flags, peer.name) == (discovery.SERVES_TIME, "bath")
    second.registrar.set_service("clock", None, lan.now)
    lan.run(500)
    assert first.registrar.find("clock") == []
    lan.stations.remove(second)
    again = lan.add(1, boot=2)
    again.start()
    lan.run(500)
    assert _kinds(first, "d001")[-1] == ("updated", "restarted")


def test_installations_on_one_network_never_mix():
    lan = Lan(4, loss=0)
    for number in range(4):
        if number % 2:
            lan.add(number, installation=b"otherone", key=b"o" * 32).start()
        else:
            lan.add(number).start()
    lan.run(4000)
    assert lan.stations[0].ids() == ["d002"]
    assert lan.stations[1].ids() == ["d003"]
    assert lan.stations[0].registrar.counters["foreign"] > 0


def test_who_has_not_the_key_is_counted_and_otherwise_ignored():
    lan = _house(2)
    forger = lan.add(5, key=b"f" * 32)
    forger.start()
    lan.run(2000)
    assert lan.stations[0].ids() == ["d001"]
    assert lan.stations[0].registrar.counters["forged"] > 0


def test_unadopted_devices_are_kept_apart():
    lan = _house(2)
    new = lan.add(7, installation=_STRANGE, key=b"\0" * 32)
    other = lan.add(8, installation=_STRANGE, key=b"\0" * 32)
    new.start()
    other.start()
    lan.run(1000)
    first = lan.stations[0].registrar
    assert sorted(p.id for p in first.unadopted()) == ["d007", "d008"]
    assert first.unadopted()[0].flags & discovery.UNADOPTED
    assert lan.stations[0].ids() == ["d001"]
    assert new.ids() == []
    new.registrar.join(HOME, KEY, lan.now)
    lan.run(1000)
    assert [p.id for p in first.unadopted()] == ["d008"]
    assert lan.stations[0].ids() == ["d001", "d007"]
    assert new.ids() == ["d000", "d001"]
    other.alive = False
    lan.run(4000)
    assert first.unadopted() == []
    new.registrar.join(_STRANGE, b"\0" * 32, lan.now)
    assert _kinds(new, "d000")[-1] == ("removed", "left")
    lan.run(500)
    assert _kinds(lan.stations[0], "d007")[-1] == ("removed", "goodbye")


def test_what_was_recorded_is_refused_whenever_it_comes():
    lan = Lan(2, loss=0)
    heard = _record(lan)
    first, second = lan.add(0), lan.add(1)
    first.start()
    second.start()
    lan.run(3000)
    old = [d for sender, d, address in heard if sender is second and address is None]
    first.registrar.peer("d001").heard_ms = lan.now - 600  # not another way's copy of the latest
    for datagram in old[:3]:
        first.registrar.receive(datagram, ("10.0.0.66", 4772), lan.now)
    counters = first.registrar.counters
    assert counters["replayed"] == 3, counters
    assert first.registrar.peer("d001").addresses == ["10.0.0.2"]
    second.registrar.goodbye()
    second.alive = False
    lan.run(1000)
    assert first.ids() == []
    for datagram in old:
        first.registrar.receive(datagram, ("10.0.0.66", 4772), lan.now)
    assert first.ids() == []
    assert counters["replayed"] >= 3 + len(old)


def test_a_goodbye_from_an_earlier_life_removes_nobody():
    lan = Lan(2, loss=0)
    heard = _record(lan)
    first, second = lan.add(0), lan.add(1)
    first.start()
    second.start()
    lan.run(2000)
    second.registrar.goodbye()
    farewell = heard[-1][1]
    lan.run(500)
    lan.stations.remove(second)
    lan.add(1, boot=2).start()
    lan.run(1000)
    assert first.ids() == ["d001"]
    first.registrar.receive(farewell, ("10.0.0.2", 4772), lan.now)
    assert first.ids() == ["d001"]


def test_a_device_that_lost_its_count_of_starts_is_asked_and_believed():
    lan = Lan(2, loss=0)
    first = lan.add(0)
    first.start()
    second = lan.add(1, boot=9)
    second.start()
    lan.run(2000)
    lan.stations.remove(second)
    lan.run(3000)
    assert first.ids() == []
    lan.add(1, boot=1).start()
    lan.run(1500)
    assert first.ids() == ["d001"]
    assert first.registrar.peer("d001").boot == 1
    lan.run(5000)
    assert _kinds(first, "d001")[-1] == ("added", "")


def test_the_same_count_again_is_believed_too():
    lan = _house(2)
    first, second = lan.stations
    lan.stations.remove(second)
    lan.add(1, boot=1).start()
    lan.run(3000)
    assert first.ids() == ["d001"]
    assert _kinds(first, "d001")[-1] == ("updated", "restarted")


def test_two_devices_with_one_id_are_told_as_a_conflict_and_one_is_kept():
    lan = _house(2)
    first = lan.stations[0]
    double = lan.add(1, boot=2)
    double.host = "10.0.0.99"
    double.start()
    lan.run(20000)
    conflicts = [c for c in first.changes if c[1] == "conflict"]
    assert len(conflicts) >= 1
    assert first.registrar.counters["conflicts"] > 1
    assert len(conflicts) <= 3
    assert len([c for c in first.changes if c[1] in ("updated", "removed")]) <= 2, first.changes
    assert [c[2] for c in double.changes if c[1] == "conflict"][:1] == [None]
    assert double.registrar.counters["conflicts"] > 0
    kept = first.registrar.peer("d001").addresses[0]
    double.alive = False
    lan.stations[1].alive = kept != "10.0.0.2"
    lan.run(4000)
    lan.stations[1].alive = True
    lan.run(4000)
    assert first.registrar.peer("d001").addresses == ["10.0.0.2"]


def test_garbage_is_counted_and_changes_nothing():
    lan = _house(2)
    first = lan.stations[0].registrar
    me = lan.stations[1].registrar.me
    for datagram in (
        b"",
        b"x" * 100,
        bytes(600),
        discovery.pack(discovery.HERE, me, 10**6, discovery.NO_NONCE, 0, 1000, b"no lines"),
    ):
        first.receive(datagram, ("10.0.0.66", 4772), lan.now)
    assert first.counters["malformed"] == 4
    bad = discovery.pack(discovery.HERE, me, 10**6, discovery.NO_NONCE, 0, 1000, b"d001\nx")
    first.receive(bad, ("10.0.0.66", 4772), lan.now)
    bad = discovery.pack(discovery.HERE, me, 10**6, discovery.NO_NONCE, 0, 1000, b"d044\nx")
    first.receive(bad, ("10.0.0.66", 4772), lan.now)
    assert first.counters["malformed"] == 6
    assert lan.stations[0].ids() == ["d001"]


def test_a_full_list_takes_nobody_and_counts_it():
    lan = Lan(1, loss=0)
    small = lan.add(0)
    small.registrar._capacity = 2
    small.start()
    for number in range(1, 5):
        lan.add(number).start()
    lan.run(3000)
    assert len(small.ids()) == 2
    assert small.registrar.counters["full"] > 0


def test_a_box_takes_round_trips_and_asks_in_a_big_house_too():
    lan = Lan(5, loss=0)
    box = lan.add(0, role=mux.ROLE_BOX)
    box.start()
    for number in range(1, 25):
        lan.add(number).start()
    lan.run(8000)
    assert len(box.ids()) == 24
    assert all(0 < peer.rtt_ms <= 80 for peer in box.registrar.peers())
    lan.stations[7].alive = False
    took = lan.run_until(lambda: "d007" not in box.ids(), 4000)
    assert took is not None
    assert took <= 3000


def test_two_that_ask_each_other_at_the_same_moment_are_both_answered():
    lan = _house(2)
    first, second = (station.registrar for station in lan.stations)
    first.peer("d001").measured_ms = second.peer("d000").measured_ms = None
    sent = first.counters["sent"]
    lan.run(1000)
    assert first.peer("d001").measured_ms is not None
    assert second.peer("d000").measured_ms is not None
    assert first.counters["sent"] - sent <= 4


def test_beacons_of_a_big_house_are_few():
    lan = _house(20, loss=30)
    lan.run(5000)
    lan.broadcasts = 0
    lan.run(20000)
    assert lan.broadcasts <= 20 * 16 * 1.15, lan.broadcasts
    assert all(len(s.ids()) == 19 for s in lan.stations)


def test_a_counter_that_wraps_is_no_event():
    lan = _house(3, now=0x3FFFFFFF - 6000)
    for station in lan.stations:
        del station.changes[:]
    lan.run(10000)
    assert all(station.changes == [] for station in lan.stations)


def test_an_access_point_that_was_off_leaves_no_trace():
    lan = _house(8, loss=30)
    lan.off = True
    lan.run(10000)
    assert all(station.ids() == [] for station in lan.stations)
    lan.off = False
    took = lan.run_until(lambda: all(len(s.ids()) == 7 for s in lan.stations), 5000)
    assert took is not None, took


def test_what_is_heard_from_two_interfaces_is_one_beacon():
    lan = _house(2)
    heard = _record(lan)
    lan.run(1500)
    datagram = [d for sender, d, address in heard if sender is lan.stations[1]][-1]
    first = lan.stations[0].registrar
    before = first.counters["replayed"]
    first.peer("d001").heard_ms = lan.now
    first.receive(datagram, ("fe80::2%eth0", 4772), lan.now)
    assert first.counters["replayed"] == before
    assert first.counters["late"] >= 1


def test_a_link_local_address_is_of_use_with_its_interface_only():
    lan = _house(2)
    first, second = lan.stations
    second.registrar.set_addresses(["10.0.0.2", "fe80::2"], lan.now)
    lan.run(300)
    second.registrar.set_service("a", 1, lan.now)
    packed = []
    second.registrar._send = lambda datagram, _address: packed.append(bytes(datagram))
    second.registrar.tick(lan.now)
    first.registrar.receive(packed[-1], ("fe80::2%wlan0", 4772), lan.now)
    peer = first.registrar.peer("d001")
    assert peer.addresses == ["10.0.0.2", "fe80::2%wlan0"]
    assert peer.source == ("fe80::2%wlan0", 4772)

"""Beacons survive the wire, and nothing else passes for one."""

from phantom.registrar import Me
from phantom.wire import discovery, mux
from tests.portable import Random, raises

PORTABLE = True

_KEY = b"k" * 32


def _me(identity="kitchen"):
    return Me(identity, "Küche", mux.ROLE_DEVICE, 7, b"12345678", _KEY, 4770)


def _tail(**changes):
    fields = {
        "identity": "kitchen",
        "name": "Küche",
        "addresses": ["10.0.0.5", "fe80::1"],
        "services": {"link": 4770, "clock": 4771},
    }
    fields.update(changes)
    return discovery.tail(
        fields["identity"], fields["name"], fields["addresses"], fields["services"]
    )


def _beacon(packed_tail=None):
    if packed_tail is None:
        packed_tail = _tail()
    return discovery.pack(
        discovery.HERE, _me(), 9, b"nonce678", discovery.SERVES_TIME, 1000, packed_tail
    )


def test_a_beacon_says_who_where_and_what():
    beacon = _beacon()
    fields = discovery.parse(beacon)
    assert fields[:3] == (discovery.HERE, 1, b"12345678")
    assert fields[3:6] == (7, 9, b"nonce678")
    assert fields[6:10] == (mux.ROLE_DEVICE, discovery.SERVES_TIME, 1000, 4770)
    assert discovery.identity_of(fields[10]) == "kitchen"
    assert discovery.parse_tail(fields[10]) == (
        "kitchen",
        "Küche",
        ["10.0.0.5", "fe80::1"],
        {"link": 4770, "clock": 4771},
    )
    assert discovery.authentic(beacon, _KEY)
    assert not discovery.authentic(beacon, b"x" * 32)


def test_a_beacon_with_any_bit_turned_is_none_or_not_authentic():
    beacon = _beacon()
    for at in range(len(beacon)):
        bad = bytearray(beacon)
        bad[at] ^= 1 << at % 8
        assert discovery.parse(bad) is None or not discovery.authentic(bad, _KEY)


def test_a_beacon_cut_or_lengthened_is_none():
    beacon = _beacon()
    for size in range(len(beacon)):
        assert discovery.parse(beacon[:size]) is None
    assert discovery.parse(beacon + b"x") is None
    assert discovery.parse(bytes(600)) is None


def test_the_largest_beacon_fits_a_datagram_of_512_bytes():
    addresses = [f"fe80::1234:5678:9abc:def{n}" for n in range(9)]
    services = {f"service-{n:02}": 10000 + n for n in range(20)}
    packed = _tail(identity="i" * 32, name="ü" * 99, addresses=addresses, services=services)
    assert len(_beacon(packed)) <= discovery.MAX_BYTES
    _, name, kept, offered = discovery.parse_tail(packed)
    assert name == "ü" * 32
    assert len(kept) == discovery.MAX_ADDRESSES
    assert len(offered) == discovery.MAX_SERVICES


def test_what_can_not_travel_is_refused_before_it_does():
    for bad in ("", "x" * 33, "a\nb"):
        with raises(ValueError):
            _tail(identity=bad)
    with raises(ValueError):
        _tail(addresses=["not an address"])
    with raises(ValueError):
        _tail(services={"much-too-long-a-name": 1})
    assert discovery.parse_tail(_tail(name="two\nlines"))[1] == "two lines"


def test_tails_that_break_a_rule_are_none():
    for bad in (
        b"",
        b"id",
        b"id\nname\n\n\n",
        b"\nname\n\n",
        b"id\nna\x01me\n\n",
        b"id\n\xff\n\n",
        b"id\nname\n10.0.0.1,,\n",
        b"id\nname\n10.0.0.1/24\n",
        b"id\nname\n%s\n" % b",".join([b"1.2.3.4"] * 7),
        b"id\nname\n\nlink",
        b"id\nname\n\nlink:",
        b"id\nname\n\nlink:0",
        b"id\nname\n\nlink:65536",
        b"id\nname\n\nlink:-1",
        b"id\nname\n\nlink:+1",
        b"id\nname\n\n:80",
        b"id\nname\n\n a:1",
        b"id\nname\n\n" + b" ".join(b"s%d:1" % n for n in range(11)),
        b"i" * 33 + b"\nname\n\n",
        b"id\n" + b"n" * 65 + b"\n\n",
    ):
        assert discovery.parse_tail(bad) is None, bad
    assert discovery.parse_tail(b"id\n\n\n") == ("id", "", [], {})


def test_no_bytes_make_a_parser_fail():
    random = Random(11)
    beacon = _beacon()
    taken = 0
    for turn in range(3000):
        if turn % 3 == 0:
            data = bytearray(random.below(256) for _ in range(random.below(120)))
        else:
            data = bytearray(beacon)
            for _ in range(random.between(1, 4)):
                data[random.below(len(data))] = random.below(256)
        fields = discovery.parse(data)
        if fields is not None:
            taken += 1
            discovery.identity_of(fields[10])
            discovery.parse_tail(fields[10])
        discovery.parse_tail(data)
        discovery.identity_of(bytes(data))
    assert taken > 100

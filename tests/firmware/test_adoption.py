"""A device takes an installation's key from whoever knows its code, whole or not at all."""

from binascii import hexlify

from phantom.adoption import Adoption, mask, tag
from phantom.rpc import INVALID_PARAMS, REFUSED, RpcError
from tests.firmware.wire_pair import Pair
from tests.portable import Random, raises

PORTABLE = True

_SECRET = b"s" * 32
_ID, _KEY = b"\1" * 8, bytes(range(32))


class _Membership:
    id = "kitchen"
    name = ""
    adopted = False
    joined = None

    def join(self, installation, key, name):
        if not any(installation):
            raise ValueError("an installation's id is not zero")
        self.joined = (installation, key, name)
        self.name = name
        self.adopted = True


class _House:
    def __init__(self, member=False):
        self.wire = Pair()
        self.rpc = self.wire.far
        self.member = member
        self.secret = None if member else _SECRET
        self.membership = _Membership()
        self.done = []
        self.adoption = Adoption(
            self.membership, lambda: self.done.append("parted"), lambda: self.done.append("left")
        )
        self.adoption.serve(self)

    def adopt(self, **changed):
        masked = mask(_SECRET, _KEY)
        terms = {
            "installation": hexlify(_ID).decode(),
            "key_masked": hexlify(masked).decode(),
            "name": "home",
            "tag": hexlify(tag(_SECRET, _ID, masked, "home")).decode(),
        }
        terms.update(changed)
        return self.wire.ask("adoption.adopt", terms)


def test_the_key_arrives_and_links_are_dropped_once_the_answer_is_on_its_way():
    house = _House()
    assert house.adopt() == {"id": "kitchen"}
    assert house.membership.joined == (_ID, _KEY, "home")
    for now_ms in (1000, 1100):
        house.adoption.chore(now_ms)
        assert house.done == []
    house.adoption.chore(1200)
    assert house.done == ["parted"]
    house.adoption.chore(1300)
    assert house.done == ["parted"]


def test_the_key_is_not_to_be_seen_on_its_way():
    masked = mask(_SECRET, _KEY)
    assert masked != _KEY
    assert mask(_SECRET, masked) == _KEY
    assert mask(b"t" * 32, _KEY) != masked


def test_what_was_changed_on_its_way_is_refused():
    random = Random(3)
    good = {
        "installation": hexlify(_ID).decode(),
        "key_masked": hexlify(mask(_SECRET, _KEY)).decode(),
        "tag": hexlify(tag(_SECRET, _ID, mask(_SECRET, _KEY), "home")).decode(),
    }
    for field, text in good.items():
        for _ in range(20):
            at = random.below(len(text))
            other = "0123456789abcdef"["0123456789abcdef".index(text[at]) ^ random.between(1, 15)]
            house = _House()
            with raises(RpcError) as caught:
                house.adopt(**{field: text[:at] + other + text[at + 1 :]})
            assert caught.value.code == REFUSED
            assert house.membership.joined is None
    house = _House()
    with raises(RpcError):
        house.adopt(name="next door")


def test_what_is_no_installation_is_refused():
    for wrong in (
        {"installation": None},
        {"installation": "zz"},
        {"key_masked": "00"},
        {"key_masked": 5},
        {"name": 5},
        {"tag": []},
        {"more": 1},
    ):
        house = _House()
        with raises(RpcError) as caught:
            house.adopt(**wrong)
        assert caught.value.code == INVALID_PARAMS, wrong
        assert house.membership.joined is None


def test_who_has_been_adopted_is_not_adopted_again():
    house = _House()
    house.adopt()
    with raises(RpcError) as caught:
        house.adopt()
    assert caught.value.code == REFUSED


def test_only_members_may_have_a_device_leave():
    house = _House(member=True)
    with raises(RpcError):
        house.adopt()
    assert house.wire.ask("adoption.leave", {}) is True
    house.adoption.chore(0)
    house.adoption.chore(500)
    assert house.done == ["left"]
    with raises(RpcError):
        _House().wire.ask("adoption.leave", {})

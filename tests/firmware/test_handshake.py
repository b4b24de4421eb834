"""A link stands only between two ends that know the same key; nothing recorded helps."""

from phantom.handshake import Handshake, StrangerError, WrongProtocolError
from phantom.wire import PROTOCOL, mux
from tests.portable import Random, raises

PORTABLE = True


class Member:
    """As much of a membership as a handshake asks for."""

    def __init__(self, identity, installation=b"home-one", key=b"k" * 32, code_key=None):
        self.id = identity
        self.boot = 3
        self.installation = installation
        self.key = key
        self.adopted = code_key is None
        self._code_key = code_key

    def code_key(self):
        """Of a device that belongs to none yet."""
        return self._code_key


def unadopted(identity, code_key):
    """One that belongs to no installation, or who adopts it."""
    return Member(identity, bytes(8), bytes(32), code_key)


def _ends(box=None, device=None, seed=1):
    return (
        Handshake(box or Member("box"), mux.ROLE_BOX, True, bytes([seed]) * 16),
        Handshake(device or Member("kitchen"), mux.ROLE_DEVICE, False, bytes([seed + 1]) * 16),
    )


def _meet(box, device, spoil=None):
    """The whole handshake; spoil(step, message) may change what is said at steps 0 to 3."""
    spoil = spoil or (lambda _, message: message)
    answer = device.take_hello(spoil(0, box.hello))
    proof = box.take_hello(spoil(1, answer))
    return box.verify(spoil(3, device.verify(spoil(2, proof))))


def test_two_of_an_installation_meet_and_know_who_the_other_is():
    box, device = _ends()
    assert _meet(box, device) is None
    assert (device.identity, device.role, device.boot) == ("box", mux.ROLE_BOX, 3)
    assert (box.identity, box.role) == ("kitchen", mux.ROLE_DEVICE)
    assert box.proved
    assert device.proved
    assert box.secret() == device.secret()


def test_every_connection_has_a_secret_of_its_own():
    secrets = []
    for seed in (1, 5, 9):
        box, device = _ends(seed=seed)
        _meet(box, device)
        secrets.append(box.secret())
    assert len(set(secrets)) == 3


def test_another_key_or_another_installation_is_a_stranger():
    for stranger in (Member("box", key=b"x" * 32), Member("box", b"home-two")):
        with raises(StrangerError):
            _meet(*_ends(box=stranger))
    with raises(StrangerError):
        _meet(*_ends(device=Member("kitchen", key=b"x" * 32)))


def test_whoever_knows_the_code_meets_a_device_that_belongs_to_none():
    device = unadopted("kitchen", b"c" * 32)
    _meet(*_ends(unadopted("box", b"c" * 32), device))
    with raises(StrangerError):
        _meet(*_ends(unadopted("box", b"d" * 32), device))
    with raises(StrangerError):
        _meet(*_ends(Member("box"), device))
    with raises(StrangerError):
        _meet(*_ends(unadopted("box", b"c" * 32), Member("kitchen")))


def test_zeros_open_nothing():
    zeros = Member("box", bytes(8), bytes(32))
    for device in (Member("kitchen"), unadopted("kitchen", b"c" * 32)):
        with raises(StrangerError):
            _meet(*_ends(box=zeros, device=device))


def test_a_recorded_handshake_is_worth_nothing():
    said = {}

    def record(step, message):
        said[step] = message
        return message

    _meet(*_ends(), spoil=record)
    _, device = _ends(seed=7)
    device.take_hello(said[0])
    with raises(StrangerError):
        device.verify(said[2])
    box, _ = _ends(seed=7)
    box.take_hello(said[1])
    with raises(StrangerError):
        box.verify(said[3])


def test_an_ends_own_words_are_worth_nothing():
    box, _ = _ends()
    proof = box.take_hello(box.hello)  # whoever mirrors all it hears
    with raises(StrangerError):
        box.verify(proof)


def test_any_bit_changed_on_the_way_is_noticed():
    lengths = [len(_ends()[0].hello), len(_ends()[1].hello), mux.AUTH_BYTES, mux.AUTH_BYTES]
    random = Random(4)
    for step in range(4):
        for _ in range(60):
            at = random.below(lengths[step])
            bit = 1 << random.below(8)
            if step >= 2 and 1 <= at <= 3:
                continue  # padding, which says nothing

            def flip(now, message, step=step, at=at, bit=bit):
                if now != step:
                    return message
                changed = bytearray(message)
                changed[at] ^= bit
                return bytes(changed)

            box, device = _ends()
            try:
                _meet(box, device, flip)
            except (StrangerError, WrongProtocolError, mux.MalformedFrame):
                continue
            # Only a message's kind, which `link` looks at and not we.
            assert at == 0, (step, at, bit)


def test_each_is_said_once_and_in_order():
    box, device = _ends()
    with raises(mux.MalformedFrame):
        device.verify(mux.auth(bytes(16)))
    device.take_hello(box.hello)
    with raises(mux.MalformedFrame):
        device.take_hello(box.hello)
    with raises(mux.MalformedFrame):
        device.verify(mux.auth(bytes(16))[:-1])
    _, late = _ends()
    _meet(_ends()[0], late)
    with raises(mux.MalformedFrame):
        late.verify(mux.auth(bytes(16)))


def test_another_version_is_told_apart_whatever_the_rest_looks_like():
    _, device = _ends()
    with raises(WrongProtocolError) as caught:
        device.take_hello(bytes([mux.HELLO, PROTOCOL + 1]))
    assert caught.value.protocol == PROTOCOL + 1


def test_any_bytes_at_all_prove_nothing():
    random = Random(8)
    for _ in range(300):
        _, device = _ends()
        data = bytes([random.below(256) for _ in range(random.below(80))])
        if random.below(2):
            data = bytes([mux.HELLO, PROTOCOL]) + data
        try:
            device.take_hello(data)
            device.verify(bytes([random.below(256) for _ in range(mux.AUTH_BYTES)]))
        except (StrangerError, WrongProtocolError, mux.MalformedFrame):
            pass
        assert not device.proved

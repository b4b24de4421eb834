"""Uploads to a device: everything in order and whole, or an error that says what was wrong."""

import hashlib
import sys
from binascii import hexlify

from phantom.rpc import INVALID_PARAMS, REFUSED, RpcError
from phantom.uploads import KEPT_MS, Uploads
from phantom.wire import bulk
from tests.firmware.wire_pair import Pair
from tests.portable import Random, raises

PORTABLE = True
HEAP_KIB = 1024

IDLE_MS = 10000


def _digest(data):
    return hexlify(hashlib.sha256(data).digest()).decode()


class _Receiver:
    """Keeps what it is given, and breaks on request."""

    def __init__(self):
        self.got = b""
        self.finished = 0
        self.aborted = 0
        self.full = False

    def write(self, view):
        if self.full:
            raise RpcError(REFUSED, "the flash is full")
        self.got += bytes(view)

    def finish(self):
        self.finished += 1

    def abort(self):
        self.aborted += 1


class _Peer:
    """A connection that uploads, and how frames reach the device: in pieces of any size."""

    def __init__(self, uploads):
        self.wire = Pair()
        self.rpc = self.wire.far
        self.bulk = None
        self.now_ms = 0
        uploads.serve(self)

    def send(self, payload, cut=1440):
        if self.bulk is None:
            return  # as the link does
        self.bulk.frame(self, len(payload))
        memory = b"before" + payload
        at = 6
        while at < len(memory):
            take = min(cut, len(memory) - at)
            self.bulk.piece(self, memory, at, take, self.now_ms)
            at += take

    def begin(self, size, purpose="keep", **more):
        asked = {"id": 7, "size": size, "purpose": purpose}
        asked.update(more)
        return self.wire.ask("transfer.begin", asked)

    def give(self, data, cut=1440):
        for at in range(0, len(data), bulk.DATA_BYTES):
            self.send(bulk.header(7, at) + data[at : at + bulk.DATA_BYTES], cut)
            self.now_ms += 2

    def end(self):
        return self.wire.ask("transfer.end", {"id": 7})

    def refused(self, method, **params):
        """The code and text of the error that a call gives."""
        with raises(RpcError) as caught:
            self.wire.ask(method, params)
        return caught.value.code, caught.value.message


class _Device:
    def __init__(self):
        self.counts = []
        self.receivers = []
        self.uploads = Uploads(self.counts.append)
        self.uploads.receiver("keep", self._receive)
        self.peer = _Peer(self.uploads)

    def _receive(self, size):
        if size == 666:
            raise RpcError(REFUSED, "no room for 666 bytes")
        self.receivers.append(_Receiver())
        return self.receivers[-1]


def _data(size, seed=1):
    random = Random(seed)
    return bytes([random.below(256) for _ in range(size)])


def test_what_comes_is_handed_on_and_its_digest_told():
    for size in (0, 1, 1017, 1018, 1019, 5000):
        device = _Device()
        data = _data(size)
        device.peer.begin(size, sha256=_digest(data))
        device.peer.give(data)
        answer = device.peer.end()
        assert answer["sha256"] == _digest(data)
        assert answer["size"] == size
        assert device.receivers[0].got == data
        assert (device.receivers[0].finished, device.receivers[0].aborted) == (1, 0)
        assert device.counts == []


def test_frames_may_be_read_in_any_pieces():
    data = _data(3000)
    for cut in (1, 2, 5, 6, 7, 1000):
        device = _Device()
        device.peer.begin(3000)
        device.peer.give(data, cut)
        assert device.peer.end()["sha256"] == _digest(data)


def test_a_measurement_keeps_nothing_and_tells_how_long_the_bytes_took():
    device = _Device()
    device.peer.begin(10 * bulk.DATA_BYTES, "measure")
    device.peer.give(bytes(10 * bulk.DATA_BYTES))
    assert device.peer.end()["ms"] == 18
    assert device.receivers == []


def test_there_is_one_upload_at_a_time_and_it_ends_with_its_link():
    device = _Device()
    other = _Peer(device.uploads)
    device.peer.begin(100)
    asked = {"id": 7, "size": 5, "purpose": "keep"}
    code, text = other.refused("transfer.begin", **asked)
    assert code == REFUSED
    assert "another upload" in text
    assert device.peer.refused("transfer.begin", **asked)[0] == REFUSED
    assert other.refused("transfer.end", id=7)[0] == INVALID_PARAMS
    other.send(bulk.header(7, 0) + b"not mine")
    device.uploads.lost(other)
    assert device.receivers[0].got == b""
    device.uploads.lost(device.peer)
    assert device.receivers[0].aborted == 1
    device.uploads.serve(other)
    other.begin(5)
    other.give(b"hello")
    assert other.end()["sha256"] == _digest(b"hello")


def test_a_cancelled_or_forgotten_upload_makes_room_for_another():
    device = _Device()
    device.peer.begin(100)
    assert device.peer.wire.ask("transfer.cancel", {"id": 7}) is True
    device.peer.send(bulk.header(7, 0) + b"late")
    assert device.counts == ["stray"]
    device.peer.begin(100)
    device.uploads.chore(IDLE_MS)
    assert device.peer.refused("transfer.begin", id=8, size=1, purpose="keep")[0] == REFUSED
    device.uploads.chore(IDLE_MS + 1)
    assert [receiver.aborted for receiver in device.receivers] == [1, 1]
    device.peer.begin(1)


def test_what_uploads_need_is_let_go_of_when_nobody_uploads():
    device = _Device()
    for now_ms in (0, 1000000):
        device.uploads.chore(now_ms)
        device.peer.begin(5)
        device.uploads.chore(now_ms + 9000)
        assert device.uploads.busy
        device.peer.give(b"hello")
        device.peer.end()
        device.uploads.chore(now_ms + 9000 + KEPT_MS)
        assert "phantom.transfer" in sys.modules
        device.uploads.chore(now_ms + 9001 + KEPT_MS)
        assert "phantom.transfer" not in sys.modules


def test_pieces_that_do_not_follow_are_refused_and_counted():
    for payload, kind, text in (
        (bulk.header(7, 0) + b"again", "replayed", "bytes from 0 came"),
        (bulk.header(7, 9) + b"ahead", "malformed", "bytes from 9 came"),
        (bulk.header(7, 4) + b"too long", "oversized", "more than 10"),
        (b"short", "malformed", "a piece of 5"),
        (bulk.header(7, 4), "malformed", "a piece of 6"),
        (b"", "malformed", "a piece of 0"),
    ):
        device = _Device()
        device.peer.begin(10)
        device.peer.send(bulk.header(7, 0) + b"four")
        device.peer.send(payload)
        device.peer.send(bulk.header(7, 4) + b"sixsix")
        assert device.counts == [kind], payload
        assert device.receivers[0].aborted == 1
        code, told = device.peer.refused("transfer.end", id=7)
        assert code == REFUSED
        assert text in told, told
        device.peer.begin(1)


def test_an_upload_that_ends_early_or_with_another_digest_is_refused():
    device = _Device()
    device.peer.begin(10)
    device.peer.give(b"nine....9")
    assert device.peer.refused("transfer.end", id=7) == (REFUSED, "only 9 of 10 bytes have come")
    device.peer.begin(4, sha256=_digest(b"this"))
    device.peer.give(b"that")
    code, text = device.peer.refused("transfer.end", id=7)
    assert code == REFUSED
    assert _digest(b"that") in text
    assert [receiver.finished for receiver in device.receivers] == [0, 0]
    assert [receiver.aborted for receiver in device.receivers] == [1, 1]


def test_a_receiver_may_refuse_at_the_beginning_and_in_the_middle():
    device = _Device()
    code, text = device.peer.refused("transfer.begin", id=7, size=666, purpose="keep")
    assert (code, text) == (REFUSED, "no room for 666 bytes")
    device.peer.begin(2000)
    device.receivers[0].full = True
    device.peer.give(_data(2000))
    assert device.peer.refused("transfer.end", id=7) == (REFUSED, "the flash is full")
    assert device.receivers[0].aborted == 1
    device.peer.begin(1)


def test_wrong_questions_get_the_error_that_fits():
    device = _Device()
    right = {"id": 7, "size": 10, "purpose": "keep"}
    for wrong in (
        {"id": -1},
        {"id": 65536},
        {"id": "7"},
        {"id": True},
        {"size": -1},
        {"size": 1.5},
        {"size": bulk.MAX_SIZE + 1},
        {"size": 1 << 70},
        {"purpose": "firmware!"},
        {"purpose": None},
        {"purpose": ["keep"]},
        {"sha256": "abc"},
        {"sha256": 5},
        {"more": 1},
    ):
        asked = dict(right)
        asked.update(wrong)
        assert device.peer.refused("transfer.begin", **asked)[0] == INVALID_PARAMS, wrong
    for method in ("transfer.end", "transfer.cancel"):
        for wrong in ({"id": 7}, {"id": None}, {}, {"size": 1}):
            assert device.peer.refused(method, **wrong)[0] == INVALID_PARAMS, wrong
    assert device.receivers == []


def test_whatever_pieces_come_nothing_is_taken_that_was_not_due():
    random = Random(17)
    for _ in range(60):
        device = _Device()
        data = _data(400, random.below(1 << 30))
        device.peer.begin(400)
        at = 0
        broken = False
        while at < 400:
            size = min(random.between(1, 90), 400 - at)
            payload = bulk.header(7, at) + data[at : at + size]
            if random.below(12) == 0:
                broken = True
                mutated = bytearray(payload[: random.below(len(payload) + 1)])
                for _ in range(random.below(3)):
                    if mutated:
                        mutated[random.below(len(mutated))] = random.below(256)
                payload = bytes(mutated)
            device.peer.send(payload, random.between(1, 50))
            at += size
        receiver = device.receivers[0]
        if receiver.aborted or len(receiver.got) < 400:
            assert broken
            assert device.peer.refused("transfer.end", id=7)[0] == REFUSED
            assert (receiver.finished, receiver.aborted) == (0, 1)
        else:
            assert device.peer.end()["sha256"] == _digest(receiver.got)
            assert len(receiver.got) == 400
        device.peer.begin(1)

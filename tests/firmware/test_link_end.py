"""A board's end of a link against whatever comes: it answers, or hangs up, and nothing else."""

import json

from phantom.handshake import Handshake
from phantom.link import Connection, Seat
from phantom.rpc import Rpc
from phantom.uploads import Uploads
from phantom.wire import bulk, mux
from tests.firmware.test_handshake import Member
from tests.portable import Random

PORTABLE = True


class _Socket:
    def __init__(self):
        self.pending = b""
        self.sent = b""
        self.closed = False

    def readinto(self, buffer):
        if not self.pending:
            return None
        piece = self.pending[: len(buffer)]
        self.pending = self.pending[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)

    def write(self, buffer, at, size):
        self.sent += bytes(buffer[at : at + size])
        return size

    def close(self):
        self.closed = True


class _Listener:
    """What a connection asks of its listener, and what it was told."""

    def __init__(self):
        self.kinds = []
        self.admitted = 0
        self.called = 0

    def refused(self, kind):
        self.kinds.append(kind)

    def handshake(self):
        return Handshake(Member("kitchen"), mux.ROLE_DEVICE, False, b"\2" * 16)

    def admit(self, connection, proof):
        self.admitted += 1
        connection.sit(Seat())
        connection.link_message(proof)
        connection.rpc = Rpc(connection.send_message, mux.MAX_MESSAGE, refused=self.refused)
        connection.rpc.register("ask", self._ask)

    def _ask(self, more=0):
        self.called += 1
        return {"more": more}


class _Board:
    def __init__(self):
        self.listener = _Listener()
        self.socket = _Socket()
        self.connection = Connection(self.listener, bytearray(200))
        self.connection.begin(self.socket, ("10.0.0.2", 1), 0)
        self.now_ms = 0

    def hear(self, data):
        """Whether the connection still stands after it."""
        self.socket.pending += data
        while self.socket.pending:
            if not self.connection.poll(self.now_ms):
                return False
        return self.connection.poll(self.now_ms)

    def said(self):
        """The payloads sent since the last call, as (channel, payload)."""
        data = self.socket.sent
        self.socket.sent = b""
        payloads = []
        while data:
            size = data[2] | data[3] << 8
            payloads.append((data[0], data[4 : 4 + size]))
            data = data[4 + size :]
        return payloads

    def welcome(self):
        """Go through the handshake."""
        box = Handshake(Member("box"), mux.ROLE_BOX, True, b"\1" * 16)
        assert self.hear(mux.frame(mux.LINK, box.hello))
        ((_, hello),) = self.said()
        assert self.hear(mux.frame(mux.LINK, box.take_hello(hello)))
        ((_, proof),) = self.said()
        assert box.verify(proof) is None
        return self


def _call(number, **params):
    return json.dumps({"jsonrpc": "2.0", "method": "ask", "params": params, "id": number}).encode()


def test_a_peer_that_proves_itself_is_answered():
    board = _Board().welcome()
    assert board.connection.identity == "box"
    assert board.hear(mux.frame(mux.RPC, _call(1, more=5)))
    ((channel, answer),) = board.said()
    assert channel == mux.RPC
    assert json.loads(answer)["result"] == {"more": 5}


def test_a_message_in_any_pieces_is_the_same_message():
    random = Random(2)
    frames = b"".join(mux.frames(mux.RPC, _call(1, more="x" * 2200)))
    for _ in range(20):
        board = _Board().welcome()
        at = 0
        while at < len(frames):
            size = random.between(1, 700)
            assert board.hear(frames[at : at + size])
            at += size
        answer = b"".join([payload for channel, payload in board.said() if channel == mux.RPC])
        assert json.loads(answer)["result"] == {"more": "x" * 2200}


def test_a_peer_that_proves_nothing_in_time_is_shown_out():
    board = _Board()
    board.now_ms = 1999
    assert board.hear(b"")
    board.now_ms = 2001
    assert not board.hear(b"\0")
    assert board.listener.kinds == ["silent"]
    assert board.said() == [(mux.LINK, mux.goodbye(mux.REASON_STRANGER))]


def test_nothing_is_taken_before_the_proof():
    hello = mux.frame(mux.LINK, Handshake(Member("box"), 2, True, b"\1" * 16).hello)
    for said in (
        mux.frame(mux.RPC, _call(1)),
        mux.frame(mux.AUDIO, bytes(8)),
        mux.frame(mux.BULK, bytes(8)),
        mux.frame(mux.LINK, mux.ping(1)),
        mux.frame(mux.LINK, mux.window(mux.RPC, 1)),
        mux.frame(mux.LINK, mux.auth(bytes(16))),
        hello + mux.frame(mux.RPC, _call(1)),
        hello + mux.frame(mux.LINK, mux.auth(bytes(16))),
        hello + mux.frame(mux.LINK, mux.pong(1)),
    ):
        board = _Board()
        assert not board.hear(said)
        assert board.listener.kinds == ["stranger"]
        assert board.listener.admitted == board.listener.called == 0
        assert board.said()[-1] == (mux.LINK, mux.goodbye(mux.REASON_STRANGER))


def test_each_broken_rule_has_its_kind():
    for data, kind in (
        (bytes([mux.RPC, 0, 1, 8]), "oversized"),
        (bytes([9, 0, 0, 0]), "malformed"),
        (bytes([mux.RPC, 2, 0, 0]), "malformed"),
        (mux.frame(mux.LINK, b""), "malformed"),
        (mux.frame(mux.LINK, b"\x63"), "malformed"),
        (mux.frame(mux.LINK, bytes(65)), "oversized"),
        (2 * mux.frame(mux.RPC, bytes(2000), mux.MORE), "oversized"),
        (mux.frame(mux.AUDIO, b"x"), "oversized"),
    ):
        board = _Board().welcome()
        assert not board.hear(data), data[:8]
        assert board.listener.kinds == [kind], data[:8]
        assert board.said()[-1] == (mux.LINK, mux.goodbye(mux.REASON_MALFORMED))


def test_whatever_strangers_send_nothing_of_it_is_done():
    random = Random(6)
    for _ in range(300):
        board = _Board()
        for _ in range(6):
            if not board.hear(_noise(random)):
                break
        assert board.listener.admitted == board.listener.called == 0
        assert len(board.said()) <= 2


def test_whatever_a_peer_sends_the_board_answers_or_hangs_up():
    random = Random(7)
    closed = called = 0
    for _ in range(300):
        board = _Board().welcome()
        for _ in range(10):
            standing = board.hear(_noise(random))
            board.said()
            if not standing:
                closed += 1
                break
        called += board.listener.called
    assert 50 < closed < 300
    assert called > 50


def _noise(random):
    """A frame such as peers send, mostly with something wrong about it."""
    good = (
        mux.frame(mux.LINK, mux.ping(7)),
        mux.frame(mux.LINK, mux.window(mux.RPC, random.below(1 << 30))),
        mux.frame(mux.LINK, Handshake(Member("box"), 2, True, b"\1" * 16).hello),
        mux.frame(mux.LINK, mux.auth(bytes(16))),
        mux.frame(mux.RPC, _call(1)),
        mux.frame(mux.RPC, b"[" * 300),
        mux.frame(mux.RPC, b'{"jsonrpc":"2.0","method":"ask","params":[[1]],"id":1}'),
        mux.frame(mux.BULK, bytes(random.below(40))),
        mux.frame(mux.AUDIO, bytes(20)),
    )
    data = bytearray(good[random.below(len(good))])
    kind = random.below(4)
    if kind == 0:
        data[random.below(len(data))] = random.below(256)
    elif kind == 1:
        data = data[: random.below(len(data))]
    elif kind == 2:
        data += bytes([random.below(256) for _ in range(random.below(9))])
    return bytes(data)


class _Tank:
    """Takes an upload as far as its memory goes."""

    def __init__(self, size):
        self.size = size
        self.got = b""

    def room(self):
        return self.size - len(self.got)

    def write(self, view):
        assert len(view) <= self.room(), "more came than was granted"
        self.got += bytes(view)

    def finish(self):
        pass

    def abort(self):
        pass


def _upload(tank, data):
    """Give a board `data` as a box does: a piece at a time, as windows have room for it."""
    board = _Board().welcome()
    uploads = Uploads(board.listener.refused)
    uploads.receiver("tank", lambda _: tank)
    uploads.serve(board.connection)
    asked = {"id": 1, "size": len(data), "purpose": "tank"}
    begin = {"jsonrpc": "2.0", "method": "transfer.begin", "params": asked, "id": 1}
    assert board.hear(mux.frame(mux.RPC, json.dumps(begin).encode()))
    window, sent, at = mux.MESSAGE_WINDOW, 0, 0
    while at < len(data):
        for channel, payload in board.said():
            if channel == mux.LINK and payload[0] == mux.WINDOW:
                told, limit = mux.parse_window(payload)
                if told == mux.BULK:
                    window = limit
        piece = bulk.header(1, at) + data[at : at + bulk.DATA_BYTES]
        if window - sent < len(piece):
            return at
        assert board.hear(mux.frame(mux.BULK, piece))
        sent += len(piece)
        at += len(piece) - bulk.HEADER_BYTES
    return at


def test_an_upload_fills_memory_to_its_last_byte():
    random = Random(5)
    for _ in range(30):
        data = bytes(random.between(1, 20000))
        for spare in (0, 1, random.between(2, 4096)):
            tank = _Tank(len(data) + spare)
            assert _upload(tank, data) == len(data), (len(data), spare)
            assert len(tank.got) == len(data)


def test_no_more_than_memory_holds_is_granted_and_all_of_that_in_whole_pieces():
    random = Random(6)
    for _ in range(30):
        tank = _Tank(random.between(4096, 20000))
        data = bytes(tank.size + random.between(1, 9000))
        taken = _upload(tank, data)
        assert taken == len(tank.got)
        assert tank.room() < bulk.DATA_BYTES

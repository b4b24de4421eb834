"""What peers may ask of a renderer, and what it tells of itself."""

from phantom.playback import Playback
from phantom.properties import Properties
from phantom.renderer import Renderer
from phantom.rpc import INVALID_PARAMS, RpcError
from phantom.volume import gain_q15
from phantom.wire import CHUNK_FRAMES, audio
from tests.firmware.test_renderer import FakeClock, FakeOutput
from tests.portable import raises

PORTABLE = True

_MINUTE_MS = 60000
_START_US = 7000053333  # block 0 is chunk 0's


class Peer:
    """A connection, and its own RPC: it only takes note."""

    def __init__(self):
        self.methods = {}
        self.rpc = self
        self.ring = None

    def register(self, name, method):
        self.methods[name] = method

    def call(self, method, **params):
        return self.methods["renderer." + method](**params)

    def feed(self, ring):
        self.ring = ring


class Room:
    def __init__(self, peers=1):
        self.clock = FakeClock()
        self.output = FakeOutput()
        self.renderer = Renderer(self.clock, 16384)
        self.renderer.attach(self.output)
        self.properties = Properties()
        self.connections = [Peer() for _ in range(peers)]
        self.playback = Playback(self.renderer, self.output, self.clock, self, self.properties)
        for peer in self.connections:
            self.playback.serve(peer)
        self.peer = self.connections[0]
        self.block = bytearray(1024)
        self.number = 0

    def __getitem__(self, name):
        return self.properties.get("renderer." + name)

    def play(self, blocks):
        for _ in range(blocks):
            self.output.now = self.number * 16000 // 3
            self.renderer.render(self.block, self.number)
            self.number += 1

    def feed(self, first, last, stream=1):
        for chunk in range(first, last):
            head = audio.header(stream, audio.PCM16, 1, chunk)
            self.renderer.ring.put(head + b"\x10\x27" * CHUNK_FRAMES)

    def loudness(self):
        return self.block[1020] | self.block[1021] << 8


def test_a_stream_is_opened_played_and_closed_with_a_reason():
    room = Room()
    answer = room.peer.call("open", stream=1, start_us=_START_US, session="the words")
    assert answer == {"window_bytes": 16384, "wants": 0}
    assert room.peer.ring is room.renderer.ring
    assert (room["state"], room["stream"], room["session"]) == ("syncing", 1, "the words")
    room.feed(0, 20)
    room.play(14)
    room.playback.chore(0)
    assert room["state"] == "playing"
    room.peer.call("close", stream=1, reason="it lags")
    assert (room["state"], room["stream"], room["session"]) == ("idle", None, "")
    assert room["reason"] == "it lags"
    assert room.peer.ring is None
    room.peer.call("open", stream=2, start_us=_START_US)
    assert room["reason"] == ""


def test_the_same_stream_goes_on_over_another_connection():
    room = Room(peers=2)
    first, second = room.connections
    first.call("open", stream=1, start_us=_START_US, session="a")
    room.feed(0, 20)
    answer = second.call("open", stream=1, start_us=_START_US, first_chunk=15)
    assert answer["wants"] == 20
    assert first.ring is None
    assert second.ring is room.renderer.ring
    assert room["session"] == "a"


def test_the_session_may_be_told_anew_but_only_of_what_plays():
    room = Room()
    room.peer.call("open", stream=1, start_us=_START_US, session="a")
    room.peer.call("session", stream=1, session="b")
    assert room["session"] == "b"
    with raises(RpcError):
        room.peer.call("session", stream=2, session="c")
    assert room["session"] == "b"


def test_a_level_is_told_back_and_limited():
    room = Room()
    room.playback.tune(0, 0, 6000)
    assert room["volume"] == 6000
    assert room.peer.call("level", volume=9000) == {"volume": 6000, "mute": False}
    assert room.peer.call("level", mute=True) == {"volume": 6000, "mute": True}
    assert room.peer.call("level", volume=5000) == {"volume": 5000, "mute": True}
    assert (room["volume"], room["mute"]) == (5000, True)
    room.peer.call("level", mute=False)
    room.peer.call("open", stream=1, start_us=_START_US)
    room.feed(0, 20)
    room.play(14)
    assert abs(room.loudness() - (10000 * gain_q15(5000) >> 15)) <= 1


def test_even_a_ramp_of_no_length_takes_20_ms():
    room = Room()
    room.peer.call("open", stream=1, start_us=_START_US)
    room.feed(0, 30)
    room.play(14)
    room.peer.call("level", volume=0, ramp_ms=0)
    room.play(3)
    assert room.loudness() > 1000
    room.play(1)
    assert room.loudness() < 100


def test_a_starved_stream_is_kept_ten_minutes_and_goes_on_when_fed_again():
    room = Room()
    room.peer.call("open", stream=1, start_us=_START_US, session="a")
    room.feed(0, 3)
    room.playback.lost(room.peer)
    room.play(20)
    room.playback.chore(0)
    room.playback.chore(9 * _MINUTE_MS)
    assert (room["state"], room["session"]) == ("starved", "a")
    room.feed(22, 30)
    room.play(6)
    room.playback.chore(9 * _MINUTE_MS)
    assert room["state"] == "playing"
    room.play(20)
    room.playback.chore(9 * _MINUTE_MS)
    room.playback.chore(18 * _MINUTE_MS)
    assert room["state"] == "starved"
    room.playback.chore(19 * _MINUTE_MS + 1)
    assert (room["state"], room["session"], room["reason"]) == ("idle", "", "starved")


def test_a_producer_on_the_board_is_replaced_by_a_stream_and_told_so():
    room = Room()
    room.playback.begin(9, _START_US)
    chunk = audio.header(9, audio.PCM16, 1, 0) + bytes(512)
    assert room.renderer.ring.put(chunk)
    room.peer.call("open", stream=1, start_us=_START_US)
    chunk = audio.header(9, audio.PCM16, 1, 1) + bytes(512)
    assert not room.renderer.ring.put(chunk)


def test_what_makes_no_sense_is_refused():
    room = Room()
    good = {"stream": 1, "start_us": 0}
    for method, params in (
        ("open", {"stream": 0, "start_us": 0}),
        ("open", {"stream": 70000, "start_us": 0}),
        ("open", {"stream": 1, "start_us": -1}),
        ("open", dict(good, first_chunk="x")),
        ("open", dict(good, codec="mp3")),
        ("open", dict(good, codec=[])),
        ("open", dict(good, pick="middle")),
        ("open", dict(good, channels=3)),
        ("open", dict(good, session="x" * 1501)),
        ("open", dict(good, session=7)),
        ("close", {"stream": "1"}),
        ("close", {"stream": 1, "at_chunk": -1}),
        ("close", {"stream": 1, "reason": "x" * 201}),
        ("session", {"stream": 1, "session": "nothing plays"}),
        ("level", {"volume": 10001}),
        ("level", {"volume": 50.5}),
        ("level", {"mute": 1}),
        ("level", {"ramp_ms": -1}),
    ):
        with raises(RpcError) as caught:
            room.peer.call(method, **params)
        assert caught.value.code == INVALID_PARAMS
    assert room.renderer.stream == 0

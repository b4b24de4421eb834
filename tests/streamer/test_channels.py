"""The state of a link's two ends, back to back and alone."""

import random

import pytest

from phantom.handshake import Handshake, StrangerError, WrongProtocolError
from phantom.wire import PROTOCOL, audio, mux
from storagebox.streamer import channels
from storagebox.streamer.channels import Channels, GoodbyeError, Hello
from tools.demo.installation import member


def _ours() -> Handshake:
    return Handshake(member("box"), mux.ROLE_BOX, True, b"\1" * mux.NONCE_BYTES)


def _greeting() -> tuple[bytes, bytes]:
    """A device's HELLO, and its AUTH to what `_ours` says."""
    ours = _ours()
    theirs = Handshake(member("kitchen", 5), mux.ROLE_DEVICE, False, b"\2" * mux.NONCE_BYTES)
    proof = theirs.verify(ours.take_hello(theirs.take_hello(ours.hello)))
    return mux.frame(mux.LINK, theirs.hello), mux.frame(mux.LINK, proof)


HELLO, AUTH = _greeting()
GREETING = HELLO + AUTH


class End:
    """A Channels that writes down what it hears."""

    def __init__(self) -> None:
        self.hellos: list[Hello] = []
        self.messages: list[tuple[int, bytes]] = []
        self.channels = Channels(_ours(), self.hellos.append, self._message)

    def _message(self, channel: int, message: bytes) -> None:
        self.messages.append((channel, message))

    def hear(self, data: bytes) -> None:
        self.channels.receive(memoryview(data))

    def said(self) -> bytes:
        """All that this end writes now."""
        out = b""
        while buffers := self.channels.gather():
            out += b"".join(bytes(buffer) for buffer in buffers)
            self.channels.sent(sum(map(len, buffers)))
        return out


def greeted() -> End:
    """An end whose peer has proved who it is."""
    end = End()
    end.hear(GREETING)
    end.said()
    return end


def chunk(number: int, size: int = 512) -> bytes:
    """A frame of AUDIO."""
    return mux.frame(mux.AUDIO, audio.header(1, audio.PCM16, 1, number) + bytes(size))


def allow_audio(end: End, limit: int) -> None:
    end.hear(mux.frame(mux.LINK, mux.window(mux.AUDIO, limit)))


def test_hello_tells_who_is_there():
    assert greeted().hellos == [Hello(mux.ROLE_DEVICE, "kitchen", 5)]


def test_frames_may_come_in_any_pieces():
    data = GREETING + b"".join(mux.frames(mux.RPC, b"x" * 2500)) + mux.frame(mux.RPC, b"short")
    for piece in (1, 3, 7, 1000):
        end = End()
        for at in range(0, len(data), piece):
            end.hear(data[at : at + piece])
        assert end.messages == [(mux.RPC, b"x" * 2500), (mux.RPC, b"short")]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (HELLO + HELLO, "second HELLO"),
        (AUTH, "out of turn"),
        (mux.frame(mux.LINK, mux.auth(b"short")), "out of turn|auth of"),
        (GREETING + AUTH, "LINK message 6"),
        (GREETING + HELLO, "LINK message 1"),
        (GREETING + bytes([9, 0, 0, 0]), "channel 9"),
        (GREETING + bytes([1, 4, 0, 0]), "flags=4"),
        (GREETING + bytes([1, 0, 255, 255]), "65535 bytes"),
        (GREETING + mux.frame(mux.LINK, b""), "empty or split"),
        (GREETING + mux.frame(mux.LINK, b"\x63"), "LINK message 99"),
        (GREETING + mux.frame(mux.LINK, b"\x02"), "ping of 1 bytes"),
        (GREETING + mux.frame(mux.AUDIO, b"x"), "over its window"),
        (
            GREETING + b"".join(mux.frame(mux.RPC, bytes(2000), mux.MORE) for _ in range(5)),
            "its size",
        ),
        (
            GREETING + b"".join(mux.frame(mux.BULK, bytes(2000)) for _ in range(3)),
            "over its window",
        ),
        (mux.frame(mux.LINK, mux.hello(mux.ROLE_DEVICE, "x", 1)[:-1]), "hello says"),
        (HELLO + AUTH[:2] + b"\x05\x00" + AUTH[4:9], "auth of 5 bytes"),
    ],
)
def test_what_breaks_the_rules_is_malformed(data: bytes, fault: str):
    with pytest.raises(mux.MalformedFrame, match=fault):
        End().hear(data)


@pytest.mark.parametrize(
    "data",
    [
        mux.frame(mux.RPC, b"{}"),
        mux.frame(mux.AUDIO, b""),
        HELLO + mux.frame(mux.RPC, b"{}"),
        mux.frame(mux.LINK, mux.ping(1)),
        HELLO + mux.frame(mux.LINK, mux.window(mux.RPC, 9)),
        mux.frame(mux.LINK, mux.hello(mux.ROLE_DEVICE, "kitchen", 5, b"otherone")),
        HELLO + mux.frame(mux.LINK, mux.auth(bytes(16))),
    ],
)
def test_nothing_is_taken_from_a_stranger(data: bytes):
    end = End()
    with pytest.raises(StrangerError):
        end.hear(data)
    assert end.hellos == end.messages == []


def test_larger_frames_than_allowed_are_counted_apart():
    with pytest.raises(mux.OversizedFrame):
        greeted().hear(bytes([1, 0, 255, 255]))


def test_another_protocol_version_is_told_apart_whatever_the_rest_looks_like():
    with pytest.raises(WrongProtocolError):
        End().hear(mux.frame(mux.LINK, bytes([mux.HELLO, PROTOCOL + 1, 9])))


def test_goodbye_carries_its_reason():
    with pytest.raises(GoodbyeError) as caught:
        greeted().hear(mux.frame(mux.LINK, mux.goodbye(mux.REASON_REPLACED)))
    assert caught.value.reason == mux.REASON_REPLACED


def test_a_ping_is_answered_with_its_nonce():
    end = greeted()
    end.hear(mux.frame(mux.LINK, mux.ping(123)))
    assert end.said() == mux.frame(mux.LINK, mux.pong(123))


def test_a_peer_that_asks_without_reading_is_cut_off():
    end = greeted()
    ping = mux.frame(mux.LINK, mux.ping(1))
    end.hear(ping * channels.MAX_LINK_FRAMES)
    with pytest.raises(mux.MalformedFrame, match="does not read"):
        end.hear(ping)


def test_rpc_goes_before_audio_that_waits():
    end = greeted()
    allow_audio(end, 1 << 20)
    waiting = [chunk(number) for number in range(100)]
    end.channels.send_audio(waiting, sum(map(len, waiting)))
    end.channels.gather()  # one gathering is on its way already
    assert end.channels.send_message(mux.RPC, b"louder")
    before = end.said().index(b"louder")
    assert before < channels.GATHER_BYTES + 600


def test_audio_stays_within_the_peers_window():
    end = greeted()
    size = len(chunk(0)) - mux.HEADER_BYTES
    waiting = [chunk(number) for number in range(5)]
    end.channels.send_audio(waiting, sum(map(len, waiting)))
    assert end.said() == b""
    allow_audio(end, 3 * size)
    assert end.said() == b"".join(waiting[:3])
    allow_audio(end, 5 * size)
    assert end.said() == b"".join(waiting[3:])


def test_room_is_what_the_window_leaves_beside_what_waits():
    end = greeted()
    assert end.channels.audio_room() == 0
    allow_audio(end, 10_000)
    assert end.channels.audio_room() == 10_000
    waiting = [chunk(0)]
    end.channels.send_audio(waiting, len(waiting[0]))
    assert end.channels.audio_room() == 10_000 - len(waiting[0])
    end.said()
    assert end.channels.audio_room() == 10_000 - (len(waiting[0]) - mux.HEADER_BYTES)
    allow_audio(end, 0)  # a window that shrinks is no negative one
    assert end.channels.audio_room() == 0


def test_windows_count_on_beyond_four_gigabytes():
    end = greeted()
    out = end.channels._out[mux.AUDIO]
    out.sent = 0xFFFFFF00
    allow_audio(end, 0x100)
    assert end.channels.audio_room() == 0x200
    frame = chunk(0, 256)
    end.channels.send_audio([frame], len(frame))
    assert end.said() == frame
    assert out.sent == 8


def test_a_write_cut_short_goes_on_at_the_byte_where_it_stopped():
    end = greeted()
    allow_audio(end, 1 << 20)
    waiting = [chunk(number) for number in range(12)]
    end.channels.send_audio(waiting, sum(map(len, waiting)))
    rng = random.Random(5)
    out = b""
    while buffers := end.channels.gather():
        data = b"".join(bytes(buffer) for buffer in buffers)
        count = rng.randrange(len(data) + 1)
        out += data[:count]
        assert end.channels.sent(count) == (count == len(data))
    assert out == b"".join(waiting)


def test_audio_can_be_forgotten_up_to_what_is_on_its_way():
    end = greeted()
    allow_audio(end, 1 << 20)
    waiting = [chunk(number) for number in range(100)]
    end.channels.send_audio(waiting, sum(map(len, waiting)))
    end.channels.gather()
    forgotten = end.channels.forget_audio()
    assert 0 < forgotten < 100
    assert end.said() == b"".join(waiting[: 100 - forgotten])
    assert end.channels.audio_waiting == 0


def test_the_window_for_rpc_is_opened_again_as_messages_come():
    end, peer = greeted(), greeted()
    for _ in range(100):
        assert peer.channels.send_message(mux.RPC, b"y" * 1000)
        end.hear(peer.said())
        peer.hear(end.said())
    assert len(end.messages) == 100


def test_messages_that_the_peer_takes_no_more_are_dropped_and_counted():
    end = greeted()
    sent = sum(end.channels.send_message(mux.RPC, b"z" * 2500) for _ in range(100))
    assert sent < 30
    assert end.channels.lost_messages == 100 - sent
    assert len(end.said()) <= mux.INITIAL_WINDOW[mux.RPC] + 8 * mux.HEADER_BYTES


def test_ten_thousand_mutated_frames_raise_nothing_else_and_hold_nothing():
    rng = random.Random(13)
    good = [
        mux.frame(mux.LINK, mux.ping(1)),
        mux.frame(mux.LINK, mux.window(mux.AUDIO, 5000)),
        mux.frame(mux.RPC, b'{"jsonrpc":"2.0","method":"x"}'),
        mux.frame(mux.BULK, b""),
        *mux.frames(mux.RPC, b"w" * 2500),
        HELLO,
    ]
    end = greeted()
    closed = 0
    for _ in range(10_000):
        data = bytearray(rng.choice(good))
        for _ in range(rng.randrange(3)):
            kind = rng.randrange(3)
            if kind == 0 and data:
                data[rng.randrange(len(data))] = rng.randrange(256)
            elif kind == 1:
                del data[rng.randrange(len(data) + 1) :]
            else:
                data += rng.randbytes(rng.randrange(30))
        try:
            end.hear(bytes(data))
            end.said()
        except (mux.MalformedFrame, GoodbyeError, WrongProtocolError):
            closed += 1
            end = greeted()
        assert len(end.channels._tail) <= mux.HEADER_BYTES + mux.MAX_PAYLOAD
        assert sum(map(len, end.channels._partial)) <= 3 * mux.MAX_MESSAGE
        end.messages.clear()
    assert 100 < closed < 9_900

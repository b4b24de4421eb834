"""Every layout survives the wire, and what is no message is refused."""

from phantom.wire import CHUNK_FRAMES, PROTOCOL, audio, clock, mux
from tests.portable import Random, raises

PORTABLE = True


def test_a_hello_carries_who_is_speaking():
    nonce = bytes(range(16))
    payload = mux.hello(mux.ROLE_BOX, "küche", 0xDEADBEEF, b"12345678", nonce)
    says = (PROTOCOL, mux.ROLE_BOX, "küche", 0xDEADBEEF, b"12345678", nonce)
    assert mux.parse_hello(payload) == says


def test_a_hello_that_lies_about_its_length_is_malformed():
    payload = mux.hello(mux.ROLE_BOX, "kitchen", 1)
    for bad in (payload[:-1], payload + b"x", payload[:5], b"", payload[:-7] + b"\xff" * 7):
        with raises(mux.MalformedFrame):
            mux.parse_hello(bad)


def test_a_long_message_is_cut_into_frames_that_say_more_follows():
    frames = mux.frames(mux.RPC, bytes(mux.MAX_PAYLOAD + 1))
    assert [len(f) for f in frames] == [4 + mux.MAX_PAYLOAD, 5]
    assert [f[1] for f in frames] == [mux.MORE, 0]
    with raises(ValueError):
        mux.frames(mux.RPC, bytes(mux.MAX_MESSAGE + 1))


def test_an_empty_message_is_one_empty_frame():
    assert mux.frames(mux.RPC, b"") == [b"\x01\x00\x00\x00"]


def test_a_window_packed_in_place_is_the_window_packed_anew():
    buffer = bytearray(16)
    mux.pack_window_into(buffer, 4, mux.AUDIO, 0x123456789)
    assert bytes(buffer[4:12]) == mux.window(mux.AUDIO, 0x123456789)
    assert mux.parse_window(mux.window(mux.AUDIO, 0x123456789)) == (mux.AUDIO, 0x23456789)


def test_a_window_for_no_channel_is_malformed():
    for channel in (mux.LINK, mux.CHANNELS, 255):
        with raises(mux.MalformedFrame):
            mux.parse_window(mux.window(channel, 1))


def test_room_survives_the_wrap_of_both_counts():
    assert mux.room(100, 40) == 60
    assert mux.room(40, 100) == 0
    assert mux.room(0x10, 0xFFFFFFF0) == 0x20
    assert mux.room(0xFFFFFFF0, 0x10) == 0


def test_a_clock_reply_hands_back_what_was_asked():
    request = bytearray(clock.REQUEST_BYTES)
    clock.pack_request_into(request, 7, 0xCAFEF00D, 123456)
    assert clock.parse_request(bytes(request)) == (7, 0xCAFEF00D, 123456)
    t2 = 1 << 50
    reply = clock.reply(7, 0xCAFEF00D, 123456, 5, t2, 250)
    assert clock.parse_reply(reply, len(reply)) == (7, 0xCAFEF00D, 123456, 5, t2, 250)


def test_what_is_no_exchange_is_ignored():
    reply = bytearray(clock.reply(1, 2, 3, 4, 5, 6))
    assert clock.parse_reply(reply, 31) is None
    assert clock.parse_reply(reply + b"x", 33) is None
    assert clock.parse_request(bytes(reply)) is None
    for at in (0, 1, 2):
        bad = bytearray(reply)
        bad[at] ^= 0x40
        assert clock.parse_reply(bad, 32) is None


def test_random_bytes_parse_to_nothing_or_to_a_message_but_never_fail_otherwise():
    random = Random(5)
    for _ in range(2000):
        data = bytes(random.below(256) for _ in range(random.below(40)))
        clock.parse_request(data)
        clock.parse_reply(data + bytes(32), len(data))
        for parse in (mux.parse_hello, mux.parse_window, mux.parse_nonce, mux.parse_auth):
            try:
                parse(data)
            except mux.MalformedFrame:
                continue


def test_chunk_headers_and_payload_sizes():
    header = audio.header(513, audio.IMA_ADPCM, 2, 0xFFFFFFFE)
    assert len(header) == audio.HEADER_BYTES
    assert audio.parse_header(header) == (513, audio.IMA_ADPCM, 2, 0xFFFFFFFE)
    assert audio.payload_bytes(audio.PCM16, 2) == CHUNK_FRAMES * 4
    assert audio.payload_bytes(audio.IMA_ADPCM, 1) == 132
    with raises(ValueError):
        audio.payload_bytes(9, 1)
    assert [audio.channels_of(pick) for pick in audio.PICKS] == [2, 1, 1, 1]

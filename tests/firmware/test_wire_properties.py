"""Laws of the wire, for any input that hypothesis thinks of."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from phantom.wire import clock, mux

_U32 = st.integers(0, 0xFFFFFFFF)


@given(st.binary(max_size=mux.MAX_MESSAGE))
def test_a_message_comes_together_again_from_its_frames(message):
    together = b""
    frames = mux.frames(mux.RPC, message)
    for number, frame in enumerate(frames, 1):
        channel, flags, size = struct.unpack_from("<BBH", frame)
        assert channel == mux.RPC
        assert flags == (mux.MORE if number < len(frames) else 0)
        assert size == len(frame) - mux.HEADER_BYTES <= mux.MAX_PAYLOAD
        together += frame[mux.HEADER_BYTES :]
    assert together == message


_NONCE = st.binary(min_size=mux.NONCE_BYTES, max_size=mux.NONCE_BYTES)


@given(st.text(max_size=8), _U32, st.binary(min_size=8, max_size=8), _NONCE)
def test_any_hello_is_read_as_it_was_written(identity, boot, installation, nonce):
    parsed = mux.parse_hello(mux.hello(mux.ROLE_BOX, identity, boot, installation, nonce))
    assert parsed[1:] == (mux.ROLE_BOX, identity, boot, installation, nonce)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_hello_or_malformed(data):
    try:
        _, _, identity, _, _, _ = mux.parse_hello(data)
    except mux.MalformedFrame:
        return
    assert len(identity.encode()) <= mux.MAX_ID_BYTES


@given(st.integers(0, 1 << 40), st.integers(0, 0x7FFFFFFF))
def test_room_is_what_is_left_however_often_the_counts_have_wrapped(sent, room):
    assert mux.room((sent + room) & 0xFFFFFFFF, sent & 0xFFFFFFFF) == room


@given(st.integers(0, 255), _U32, _U32, _U32, st.integers(0, (1 << 64) - 1), _U32)
def test_any_clock_reply_is_read_as_it_was_written(sequence, token, t1, generation, t2, hold):
    reply = clock.reply(sequence, token, t1, generation, t2, hold)
    assert clock.parse_reply(reply, len(reply)) == (sequence, token, t1, generation, t2, hold)

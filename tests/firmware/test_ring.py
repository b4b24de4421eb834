"""The jitter buffer, by number."""

from phantom.ring import ChunkRing
from phantom.wire import audio

PORTABLE = True

_PAYLOAD = audio.payload_bytes(audio.PCM16, 1)


def _ring(slots=4, first=0):
    ring = ChunkRing(slots * _PAYLOAD)
    ring.open(_PAYLOAD, first)
    return ring


def _put(ring, chunk):
    at = ring.place(chunk)
    if at < 0:
        return False
    ring.memory[at] = chunk & 0xFF
    return ring.commit(chunk)


def test_chunks_come_out_in_order_whatever_order_they_came_in():
    ring = _ring()
    for chunk in (2, 0, 3, 1):
        assert _put(ring, chunk)
    assert [ring.memory[ring.take()] for _ in range(4)] == [0, 1, 2, 3]
    assert ring.held == 0


def test_a_missing_chunk_is_passed_over():
    ring = _ring()
    _put(ring, 1)
    assert not ring.ready()
    assert ring.take() < 0
    assert ring.ready()
    assert ring.memory[ring.take()] == 1


def test_duplicates_latecomers_and_those_from_the_far_future_are_not_placed():
    ring = _ring(first=10)
    assert _put(ring, 10)
    assert not _put(ring, 10)
    assert not _put(ring, 9)
    assert not _put(ring, 14)
    assert _put(ring, 13)


def test_a_chunk_whose_turn_passes_while_it_arrives_is_not_kept():
    ring = _ring()
    at = ring.place(0)
    assert at >= 0
    ring.take()
    assert not ring.commit(0)
    assert ring.held == 0


def test_the_window_never_lets_the_sender_overrun_the_slots():
    ring = _ring(slots=4)
    size = ring.frame_bytes()
    received = 0
    assert ring.window(received) == 4 * size
    for chunk in range(4):
        _put(ring, chunk)
        received += size
        assert ring.window(received) == 4 * size  # held chunks give no new room
    ring.take()
    assert ring.window(received) == 5 * size
    ring.place(2)  # a duplicate is dropped
    received += size
    assert ring.window(received) == 6 * size


def test_skipping_lets_go_of_what_lies_before():
    ring = _ring(slots=8)
    for chunk in range(8):
        _put(ring, chunk)
    ring.skip_to(5)
    assert ring.held == 3
    assert ring.memory[ring.take()] == 5
    ring.skip_to(1000)
    assert ring.held == 0
    assert ring.next == 1000
    assert _put(ring, 1003)

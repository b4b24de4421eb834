"""The jitter buffer: chunks of any codec, in order, in exactly the bytes they have."""

from phantom.ring import ChunkRing
from phantom.wire import audio
from tests.portable import Random

PORTABLE = True

_STREAM = 7
_BYTES = audio.chunk_bytes(audio.PCM16, 1)


def _ring(chunks=4, first=0):
    ring = ChunkRing(chunks * _BYTES)
    ring.open(_STREAM, first)
    return ring


def _chunk(number, codec=audio.PCM16, channels=1, stream=_STREAM):
    size = audio.payload_bytes(codec & ~audio.REPLACE, channels)
    return audio.header(stream, codec, channels, number) + bytes([number & 0xFF]) * size


def _marked(number):
    return audio.header(_STREAM, audio.PCM16 | audio.REPLACE, 1, number)


def _taken(ring):
    """The numbers the reader finds, until the ring is empty; None where one is missing."""
    numbers = []
    while ring.held:
        number = ring.next
        at = ring.take()
        numbers.append(number if at >= 0 else None)
        if at >= 0:
            size = audio.payload_bytes(ring.codec, ring.channels)
            assert ring.memory[at : at + size] == bytes([number & 0xFF]) * size
    return numbers


def test_chunks_come_out_in_order_whatever_their_codec():
    ring = _ring(8)
    forms = ((audio.PCM16, 2), (audio.IMA_ADPCM, 1), (audio.PCM16, 1), (audio.IMA_ADPCM, 2))
    for number, (codec, channels) in enumerate(forms):
        assert ring.put(_chunk(number, codec, channels))
    for form in forms:
        assert ring.ready()
        assert ring.take() >= 0
        assert (ring.codec, ring.channels) == form
    assert (ring.held, ring.used) == (0, 0)


def test_numbers_may_be_left_out_and_are_passed_over():
    ring = _ring()
    for number in (1, 2, 5):
        assert ring.put(_chunk(number))
    assert not ring.ready()
    assert ring.wants() == 6
    assert _taken(ring) == [None, 1, 2, None, None, 5]


def test_what_comes_twice_too_late_or_from_another_stream_is_not_taken():
    ring = _ring(first=10)
    assert ring.put(_chunk(10))
    assert not ring.put(_chunk(10))
    assert not ring.put(_chunk(9))
    assert ring.late == 2
    assert not ring.put(_chunk(11, stream=8))
    assert ring.wants() == 11
    assert ring.put(_chunk(12))
    assert not ring.put(_chunk(11))


def test_what_is_no_chunk_is_not_taken():
    ring = _ring()
    for payload in (
        _chunk(0)[:-1],
        _chunk(0) + b"x",
        audio.header(_STREAM, audio.PCM16, 1, 0),
        audio.header(_STREAM, 0, 1, 0) + bytes(512),
        audio.header(_STREAM, 3, 1, 0) + bytes(512),
        audio.header(_STREAM, audio.PCM16, 0, 0),
        audio.header(_STREAM, audio.PCM16, 3, 0) + bytes(1536),
        audio.header(_STREAM, audio.PCM16, 1, 0x40000000) + bytes(512),
        audio.header(_STREAM, audio.PCM16, 1, 0xFFFFFFFF) + bytes(512),
    ):
        assert not ring.put(payload)
    assert (ring.held, ring.used, ring.wants()) == (0, 0, 0)


def test_a_chunk_whose_turn_passes_while_it_arrives_is_not_kept():
    ring = _ring()
    assert ring.place(_chunk(0), _BYTES) >= 0
    ring.take()
    assert not ring.commit()
    assert (ring.held, ring.used) == (0, 0)


def test_a_chunk_that_is_arriving_when_another_stream_opens_is_not_kept():
    ring = _ring()
    assert ring.place(_chunk(0), _BYTES) >= 0
    ring.open(8, 0)
    assert not ring.commit()
    assert (ring.held, ring.used) == (0, 0)


def test_the_window_is_exact_to_the_byte():
    ring = _ring(4)
    received = 0
    assert ring.window(received) == 4 * _BYTES
    for number in range(4):
        assert ring.put(_chunk(number))
        received += _BYTES
        assert ring.window(received) == 4 * _BYTES  # held chunks give no new room
    assert not ring.put(_chunk(4, audio.IMA_ADPCM))
    ring.take()
    assert ring.window(received) == 5 * _BYTES
    assert not ring.put(_chunk(2))  # a duplicate is dropped
    received += _BYTES
    assert ring.window(received) == 6 * _BYTES


def test_skipping_lets_go_of_what_lies_before():
    ring = _ring(8)
    for number in range(8):
        ring.put(_chunk(number))
    ring.skip_to(5)
    assert (ring.held, ring.used) == (3, 3 * _BYTES)
    assert ring.take() >= 0
    ring.skip_to(1000)
    assert (ring.held, ring.used) == (0, 0)
    assert (ring.next, ring.wants()) == (1000, 1000)
    assert ring.put(_chunk(1003))


def test_a_chunk_marked_replace_takes_the_place_of_those_from_its_number_on():
    ring = _ring(8)
    for number in range(6):
        ring.put(_chunk(number))
    ring.take()
    assert ring.put(_chunk(3, audio.IMA_ADPCM | audio.REPLACE))
    assert ring.wants() == 4
    assert ring.used == 2 * _BYTES + audio.chunk_bytes(audio.IMA_ADPCM, 1)
    assert ring.put(_chunk(4, audio.IMA_ADPCM))
    ring.take()
    ring.take()
    assert ring.codec == audio.PCM16
    ring.take()
    assert ring.codec == audio.IMA_ADPCM
    assert _taken(ring) == [4]


def test_a_mark_alone_makes_room_even_in_a_full_ring():
    ring = _ring(4)
    for number in range(4):
        ring.put(_chunk(number))
    assert not ring.put(_marked(1))
    assert (ring.held, ring.wants()) == (1, 1)
    assert ring.put(_chunk(1))
    assert _taken(ring) == [0, 1]


def test_a_mark_beyond_or_behind_what_is_buffered_does_what_is_left_to_do():
    ring = _ring(4, first=5)
    for number in (5, 6):
        ring.put(_chunk(number))
    ring.put(_marked(9))
    assert (ring.held, ring.wants()) == (2, 7)
    ring.take()
    ring.put(_marked(2))
    assert (ring.held, ring.used, ring.wants()) == (0, 0, 6)
    assert ring.put(_chunk(6))


def test_any_course_of_events_keeps_order_bytes_and_samples():
    forms = ((audio.PCM16, 2), (audio.IMA_ADPCM, 1), (audio.PCM16, 1), (audio.IMA_ADPCM, 2))
    for seed in range(1, 9):
        random = Random(seed)
        ring = ChunkRing(5000)
        ring.open(_STREAM, 0)
        model = []  # (number, bytes) that must be in it
        reader = end = 0
        for _ in range(600):
            deed = random.below(10)
            if deed < 6:
                codec, channels = forms[random.below(4)]
                number = max(0, max(reader, end) + random.between(-2, 3))
                if deed == 0:
                    number = max(0, number - random.below(6))
                    ring.put(_marked(number))
                    model = [entry for entry in model if entry[0] < number]
                    end = min(end, number)
                chunk = _chunk(number, codec, channels)
                fits = sum(size for _, size in model) + len(chunk) <= ring.size
                wanted = number >= reader and number >= end and fits
                assert ring.put(chunk) == wanted
                if wanted:
                    model.append((number, len(chunk)))
                    end = number + 1
            elif deed < 9:
                here = bool(model) and model[0][0] == reader
                assert ring.ready() == here
                at = ring.take()
                assert (at >= 0) == here
                if here:
                    size = model.pop(0)[1] - audio.HEADER_BYTES
                    assert ring.memory[at : at + size] == bytes([reader & 0xFF]) * size
                reader += 1
            else:
                reader += random.below(5)
                ring.skip_to(reader)
                model = [entry for entry in model if entry[0] >= reader]
            assert ring.used == sum(size for _, size in model)
            assert ring.held == len(model)
            assert ring.wants() == max(reader, end)

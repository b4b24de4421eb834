"""The chime that a device makes itself: what it orders of the renderer, and how it sounds."""

from array import array
from time import ticks_us

from phantom import chime
from phantom.chime import Chime
from phantom.properties import Properties
from phantom.renderer import IDLE, STARVED
from phantom.ring import ChunkRing
from phantom.rpc import INVALID_PARAMS, REFUSED, RpcError
from phantom.wire import CHUNK_FRAMES, audio
from tests.portable import raises

PORTABLE = True
HEAP_KIB = 2048


class FakeClock:
    synced = True

    def house_us(self, ticks):
        return 5000000000 + ticks


class FakeRenderer:
    """Takes one stream's chunks out of its ring as they become due."""

    def __init__(self, ring_bytes=49152):
        self.ring = ChunkRing(ring_bytes)
        self.state = IDLE
        self.opened = None
        self.end = None
        self.samples = array("h")

    def open(self, stream, start_us):
        self.ring.open(stream, 0)
        self.opened = (stream, start_us)
        self.state = 3

    def plays(self, stream, start_us):
        return self.state != IDLE and self.opened == (stream, start_us)

    def close(self, at_chunk=None):
        self.end = at_chunk

    def drain(self, chunks):
        for _ in range(chunks):
            if not self.ring.ready():
                return
            at = self.ring.take()
            memory = self.ring.memory
            for i in range(at, at + 2 * CHUNK_FRAMES, 2):
                x = memory[i] | memory[i + 1] << 8
                self.samples.append(x - 0x10000 if x & 0x8000 else x)
            if self.ring.next == self.end:
                self.state = IDLE


class Bench:
    def __init__(self):
        self.renderer = FakeRenderer()
        self.clock = FakeClock()
        self.properties = Properties()
        self.chime = Chime(self, self.renderer, self.clock, self.properties)
        self.methods = {}
        self.lent = None  # the volume that what plays has for now
        self.rpc = self
        self.chime.serve(self)

    def lend_volume(self, volume):
        self.lent = volume

    def register(self, name, method):
        self.methods[name] = method

    def begin(self, stream, start_us):
        self.renderer.open(stream, start_us)

    def order(self, ahead_us=400000, **options):
        start_us = self.clock.house_us(ticks_us()) + ahead_us
        return self.methods["chime.play"](start_us=start_us, **options)

    def sound(self):
        """Play it to its end; chores come as often as on a board."""
        turns = 0
        while self.renderer.state != IDLE and turns < 100:
            self.renderer.drain(10)
            self.chime.chore(0)
            turns += 1
        self.chime.chore(0)


def test_a_chime_plays_all_its_chunks_and_ends():
    bench = Bench()
    assert bench.order() is True
    assert bench.renderer.opened[0] == chime.STREAM
    assert bench.properties.get("chime.playing") is True
    bench.sound()
    assert len(bench.renderer.samples) == chime.CHUNKS * CHUNK_FRAMES
    assert bench.renderer.state == IDLE
    assert bench.properties.get("chime.playing") is False


def test_it_is_loud_first_and_silent_last_without_a_step():
    bench = Bench()
    bench.order()
    bench.sound()
    samples = bench.renderer.samples
    assert max(samples) < 32767
    assert min(samples) > -32768
    assert max(samples[:12000]) > 6000
    assert max(abs(x) for x in samples[-CHUNK_FRAMES:]) < 20
    # Two such tones rise by no more than this a frame: 2 pi 750 / 48000, harmonics included.
    assert max(abs(samples[i] - samples[i - 1]) for i in range(1, len(samples))) < 4000


def test_tones_go_through_zero_as_often_as_their_pitch_says():
    bench = Bench()
    bench.order()
    bench.sound()
    first = bench.renderer.samples[:9600]
    rising = sum(1 for i in range(1, len(first)) if first[i - 1] < 0 <= first[i])
    assert 145 <= rising <= 155  # 750 Hz for 0.2 s


def test_it_is_refused_where_music_plays_or_time_is_unknown():
    bench = Bench()
    bench.renderer.open(7, 1)
    with raises(RpcError) as caught:
        bench.order()
    assert caught.value.code == REFUSED
    assert bench.renderer.opened == (7, 1)
    bench = Bench()
    bench.clock.synced = False
    with raises(RpcError) as caught:
        bench.order()
    assert caught.value.code == REFUSED


def test_a_time_that_can_not_be_kept_is_refused():
    bench = Bench()
    for ahead_us in (-1000000, 1000, 60000000):
        with raises(RpcError) as caught:
            bench.order(ahead_us)
        assert caught.value.code == INVALID_PARAMS
    with raises(RpcError) as caught:
        bench.order(kind="gong")
    assert caught.value.code == INVALID_PARAMS
    for wrong in ("soon", 1.5, None, True):
        with raises(RpcError):
            bench.methods["chime.play"](start_us=wrong)


def test_music_that_begins_meanwhile_ends_it():
    bench = Bench()
    bench.order()
    bench.renderer.open(9, 1)
    bench.chime.chore(0)
    bench.chime.chore(0)
    assert bench.renderer.ring.held == 0
    assert bench.properties.get("chime.playing") is False


def test_two_devices_make_the_same_sound():
    one, other = Bench(), Bench()
    one.order()
    other.order()
    one.sound()
    other.renderer.drain(3)  # filled in other steps
    other.sound()
    assert one.renderer.samples == other.renderer.samples


def test_chunks_are_pcm_of_one_channel():
    assert audio.chunk_bytes(audio.PCM16, 1) == len(Bench().chime._chunk)


def test_it_has_a_volume_of_its_own_for_as_long_as_it_sounds():
    bench = Bench()
    bench.order()
    assert bench.lent == chime.VOLUME
    bench.sound()
    assert bench.lent is None
    bench.order(volume=10000)
    assert bench.lent == 10000
    bench.renderer.open(9, 1)
    bench.chime.chore(0)
    assert bench.lent is None
    with raises(RpcError):
        bench.order(volume=10001)


def test_a_room_whose_stream_has_been_silent_for_long_is_free():
    bench = Bench()
    bench.renderer.open(7, 1)
    bench.renderer.state = STARVED
    for now_ms in (1000, 3000, 5900):
        bench.chime.chore(now_ms)
        with raises(RpcError):
            bench.order()
    bench.chime.chore(6000)
    assert bench.order() is True

"""What the renderer hands the DAC, block by block, against the stream it was given."""

from phantom.renderer import IDLE, PLAYING, STARVED, WAITING, Renderer
from phantom.wire import CHUNK_FRAMES, audio

PORTABLE = True

_BLOCK_X3 = 16000
_SOURCE = [((n * 7919) % 60000) - 30000 for n in range(CHUNK_FRAMES * 40)]


class FakeClock:
    """House time that runs `ppm` faster than ticks, known from the start."""

    def __init__(self, ppm=0):
        self.skew = ppm * 64
        self.ppm = ppm
        self.synced = True
        self.version = 1
        self.offset = 7000000000

    def house_us(self, ticks):
        return ticks + ticks * self.ppm // 1000000 + self.offset


class FakeOutput:
    """A DAC whose block n sounds at n * 16000/3 us of board time, 10 blocks after it is made."""

    def __init__(self):
        self.now = 0
        self.shift_x3 = 0

    def sounds_x3(self, number, since):
        return (number + 10) * _BLOCK_X3 + self.shift_x3 - 3 * since


class Bench:
    def __init__(self, channels=1, codec=audio.PCM16, ppm=0, ring_bytes=49152, keep=True):
        self.keep = keep
        self.clock = FakeClock(ppm)
        self.output = FakeOutput()
        self.renderer = Renderer(self.clock, ring_bytes)
        self.renderer.attach(self.output)
        self.channels = channels
        self.codec = codec
        self.block = bytearray(1024)
        self.number = 0
        self.frames = []  # (left, right)

    def open(self, start_x3=10 * _BLOCK_X3, first=0):
        self.start_us = self.clock.offset + start_x3 // 3
        self.renderer.open(1, self.start_us, self.codec, self.channels, first)

    def feed(self, first, last):
        for chunk in range(first, last):
            at = self.renderer.ring.place(chunk)
            if at < 0:
                continue
            for i in range(CHUNK_FRAMES):
                x = _SOURCE[(chunk * CHUNK_FRAMES + i) % len(_SOURCE)]
                for c in range(self.channels):
                    to = at + 2 * (i * self.channels + c)
                    self.renderer.ring.memory[to] = x & 0xFF
                    self.renderer.ring.memory[to + 1] = x >> 8 & 0xFF
            self.renderer.ring.commit(chunk)

    def play(self, blocks):
        for _ in range(blocks):
            self.output.now = self.number * _BLOCK_X3 // 3
            self.renderer.render(self.block, self.number)
            for i in range(CHUNK_FRAMES if self.keep else 0):
                self.frames.append((self._s16(4 * i), self._s16(4 * i + 2)))
            self.number += 1

    def _s16(self, at):
        x = self.block[at] | self.block[at + 1] << 8
        return x - 65536 if x & 0x8000 else x


def test_every_frame_comes_out_once_and_unchanged():
    for channels in (1, 2):
        bench = Bench(channels)
        bench.open()
        bench.feed(0, 20)
        bench.play(20)
        assert [left for left, _ in bench.frames] == _SOURCE[: 20 * CHUNK_FRAMES]
        assert all(left == right for left, right in bench.frames)
        assert bench.renderer.trims == 0


def test_the_first_frame_is_placed_inside_silence():
    bench = Bench()
    # Due 100 frames and a third after block 3 starts: the nearest frame is 100.
    bench.open(start_x3=13 * _BLOCK_X3 + 100 * 62 + 50 + 20)
    bench.feed(0, 10)
    bench.play(3)
    assert bench.renderer.state == WAITING
    assert not any(left or right for left, right in bench.frames)
    bench.play(2)
    at = 3 * CHUNK_FRAMES + 100
    assert not any(left for left, _ in bench.frames[:at])
    assert [left for left, _ in bench.frames[at : at + 300]] == _SOURCE[:300]
    assert bench.renderer.state == PLAYING


def test_a_fast_crystal_is_trimmed_a_frame_at_a_time():
    # A board 200 ppm slow against the house must drop about a frame in 5000.
    for ppm in (200, -200):
        bench = Bench(ppm=ppm, keep=False)
        bench.open()
        worst = 0
        for chunk in range(400):
            bench.feed(chunk, chunk + 3)
            bench.play(1)
            worst = max(worst, abs(bench.renderer.error_mf))
        expected = 400 * CHUNK_FRAMES * 200 // 1000000
        assert abs(bench.renderer.trims - expected) <= 2
        assert worst <= 700  # thousandths of a frame
        assert bench.renderer.underruns == 0


def test_a_missing_chunk_is_one_underrun_and_the_rest_stays_in_time():
    bench = Bench()
    bench.open()
    bench.feed(0, 8)
    bench.feed(9, 20)
    bench.play(20)
    assert bench.renderer.underruns == 1
    assert bench.renderer.state == PLAYING
    at = 12 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[at:]] == _SOURCE[at : 20 * CHUNK_FRAMES]


def test_a_starved_stream_is_silent_and_comes_back_in_time():
    bench = Bench()
    bench.open()
    bench.feed(0, 5)
    bench.play(12)
    assert bench.renderer.state == STARVED
    assert not any(left for left, _ in bench.frames[7 * CHUNK_FRAMES :])
    bench.feed(12, 24)
    bench.play(10)
    assert bench.renderer.underruns == 1
    at = 15 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[at : at + 512]] == _SOURCE[at : at + 512]


def test_a_latecomer_fades_in_at_the_frame_that_is_due():
    bench = Bench()
    bench.open(first=6)
    bench.feed(6, 20)
    bench.play(16)
    assert bench.renderer.underruns == 0
    assert not any(left for left, _ in bench.frames[: 6 * CHUNK_FRAMES])
    at = 8 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[at : at + 512]] == _SOURCE[at : at + 512]


def test_an_error_beyond_20_ms_is_jumped_with_a_fade():
    bench = Bench()
    bench.open()
    bench.feed(0, 40)
    bench.play(10)
    bench.output.shift_x3 = 6 * _BLOCK_X3  # the DAC is suddenly 32 ms late
    bench.play(10)
    assert bench.renderer.realigns == 1
    assert bench.renderer.state == PLAYING
    assert abs(bench.renderer.error_mf) <= 1000
    at = 18 * CHUNK_FRAMES
    due = at + 6 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[at : at + 256]] == _SOURCE[due : due + 256]


def test_an_error_below_20_ms_is_worn_down_without_a_jump():
    bench = Bench()
    bench.open()
    bench.feed(0, 90)
    bench.play(10)
    bench.output.shift_x3 = 40 * 62  # 40 frames late
    for _ in range(60):
        bench.feed(bench.renderer.ring.next, bench.renderer.ring.next + 20)
        bench.play(1)
    assert bench.renderer.realigns == 0
    assert 38 <= bench.renderer.trims <= 42
    assert abs(bench.renderer.error_mf) <= 1000


def test_the_stream_ends_at_the_chunk_it_is_told_to():
    bench = Bench()
    bench.open()
    bench.feed(0, 6)
    bench.renderer.close(6)
    bench.play(12)
    assert bench.renderer.state == IDLE
    assert bench.renderer.underruns == 0
    assert [left for left, _ in bench.frames[: 6 * CHUNK_FRAMES]] == _SOURCE[: 6 * CHUNK_FRAMES]
    assert not any(left for left, _ in bench.frames[6 * CHUNK_FRAMES :])


def test_gain_ramps_and_unity_is_exact_again():
    bench = Bench()
    bench.open()
    bench.feed(0, 40)
    bench.play(4)
    bench.renderer.volume(0, 4)
    bench.play(8)
    assert not any(left for left, _ in bench.frames[9 * CHUNK_FRAMES : 12 * CHUNK_FRAMES])
    bench.renderer.volume(32768, 4)
    bench.play(8)
    at = 17 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[at : at + 512]] == _SOURCE[at : at + 512]


def test_nothing_plays_before_house_time_is_known():
    bench = Bench()
    bench.clock.synced = False
    bench.open()
    bench.feed(0, 20)
    bench.play(3)
    assert not any(left for left, _ in bench.frames)
    bench.clock.synced = True
    bench.play(12)
    at = 8 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[at : at + 512]] == _SOURCE[at : at + 512]


def test_a_dry_output_is_counted_and_realigned():
    bench = Bench()
    bench.open()
    bench.feed(0, 40)
    bench.play(10)
    bench.renderer.missed()
    bench.output.shift_x3 = 2 * _BLOCK_X3  # two blocks of silence went out
    bench.play(10)
    assert bench.renderer.underruns == 1
    at = 15 * CHUNK_FRAMES
    due = at + 2 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[at : at + 256]] == _SOURCE[due : due + 256]

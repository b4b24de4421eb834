"""What the renderer hands the DAC, block by block, against the stream it was given."""

import struct

from phantom.renderer import IDLE, PLAYING, STARVED, WAITING, Renderer
from phantom.wire import CHUNK_FRAMES, audio

PORTABLE = True
HEAP_KIB = 2048

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
        self.certain = True

    def sure(self):
        return self.certain

    def sounds_x3(self, number, since):
        return (number + 10) * _BLOCK_X3 + self.shift_x3 - 3 * since


class Bench:
    def __init__(self, channels=1, ppm=0, ring_bytes=49152, keep=True):
        self.keep = keep
        self.clock = FakeClock(ppm)
        self.output = FakeOutput()
        self.renderer = Renderer(self.clock, ring_bytes)
        self.renderer.attach(self.output)
        self.channels = channels
        self.block = bytearray(1024)
        self.number = 0
        self.frames = []  # (left, right)

    def open(self, start_x3=10 * _BLOCK_X3, first=0, stream=1):
        self.stream = stream
        self.start_us = self.clock.offset + start_x3 // 3
        self.renderer.open(stream, self.start_us, first)

    def feed(self, first, last, channels=None, replace=0, sign=1):
        channels = channels or self.channels
        for chunk in range(first, last):
            samples = []
            for i in range(CHUNK_FRAMES):
                x = sign * _SOURCE[(chunk * CHUNK_FRAMES + i) % len(_SOURCE)]
                samples += [x] * channels
            head = audio.header(self.stream, audio.PCM16 | replace, channels, chunk)
            self.renderer.ring.put(head + struct.pack("<" + "h" * len(samples), *samples))
            replace = 0

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
    bench = Bench(keep=False)
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


def test_a_level_ramps_and_unity_is_exact_again():
    bench = Bench()
    bench.open()
    bench.feed(0, 40)
    bench.play(4)
    bench.renderer.level(0, 4)
    bench.play(8)
    assert not any(left for left, _ in bench.frames[9 * CHUNK_FRAMES : 12 * CHUNK_FRAMES])
    bench.renderer.level(32768, 4)
    bench.play(8)
    at = 17 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[at : at + 512]] == _SOURCE[at : at + 512]


class Tone(Bench):
    """Plays a direct current of 20000, in which every step is one of the level."""

    def feed(self, first, last, channels=1, codec=audio.PCM16, value=20000):
        for chunk in range(first, last):
            head = audio.header(self.stream, codec, channels, chunk)
            self.renderer.ring.put(head + struct.pack("<h", value) * CHUNK_FRAMES * channels)

    def steepest(self, first=1, last=None):
        left = [left for left, _ in self.frames]
        return max(abs(left[i] - left[i - 1]) for i in range(first, last or len(left)))


def _tone(blocks=4):
    bench = Tone()
    bench.open()
    bench.feed(0, 44)
    bench.play(blocks)
    return bench


def test_a_ramp_that_is_interrupted_goes_on_from_where_it_is():
    bench = _tone()
    bench.renderer.level(0, 8)
    bench.play(4)
    half = bench.frames[-1][0]
    assert 9500 < half < 10500
    bench.renderer.level(32768, 8)
    bench.play(1)
    assert half < bench.frames[-1][0] < 12000
    bench.play(8)
    assert bench.frames[-1][0] == 20000
    assert bench.steepest() <= 10


def test_a_level_set_in_silence_holds_from_the_first_frame():
    bench = Tone()
    bench.renderer.level(16384, 50)
    bench.open()
    bench.feed(0, 10)
    bench.play(3)
    assert bench.frames[0][0] == 10000


def test_a_stream_that_is_closed_fades_out_over_one_block():
    bench = _tone()
    bench.renderer.close()
    bench.play(3)
    assert bench.renderer.state == IDLE
    assert bench.frames[4 * CHUNK_FRAMES][0] == 20000
    assert bench.frames[5 * CHUNK_FRAMES - 1][0] < 100
    assert not any(left for left, _ in bench.frames[5 * CHUNK_FRAMES :])
    assert bench.steepest() <= 20000 // 256 + 1


def test_a_stream_that_is_closed_in_mid_song_plays_to_its_end_and_fades_out_after():
    bench = _tone()
    bench.renderer.close(8)
    bench.play(8)
    assert bench.renderer.state == IDLE
    assert bench.frames[8 * CHUNK_FRAMES][0] == 20000
    assert bench.frames[9 * CHUNK_FRAMES - 1][0] < 100
    assert not any(left for left, _ in bench.frames[9 * CHUNK_FRAMES :])
    assert bench.steepest() <= 20000 // 256 + 1


def test_another_stream_fades_the_old_one_out_and_starts_on_time():
    bench = _tone()
    bench.open(start_x3=24 * _BLOCK_X3, stream=2)
    bench.feed(0, 10, channels=2, value=-8000)
    bench.play(14)
    assert not any(left for left, _ in bench.frames[5 * CHUNK_FRAMES : 14 * CHUNK_FRAMES])
    assert [left for left, _ in bench.frames[14 * CHUNK_FRAMES :]] == [-8000] * 1024
    assert bench.steepest() == 8000
    assert bench.steepest(first=14 * CHUNK_FRAMES + 1) == 0
    assert bench.steepest(last=14 * CHUNK_FRAMES) <= 79
    assert bench.renderer.underruns == 0


def test_a_stream_joined_in_mid_song_after_another_is_faded_in():
    bench = _tone()
    bench.open(start_x3=0, first=17, stream=2)
    bench.feed(17, 40, value=-8000)
    bench.play(10)
    assert bench.frames[-1][0] == -8000
    assert bench.steepest() <= 79


def test_streams_opened_one_upon_the_other_leave_only_one_fade():
    bench = _tone()
    for stream in (2, 3, 4):
        bench.open(start_x3=24 * _BLOCK_X3, stream=stream)
    bench.feed(0, 10, value=5000)
    bench.play(14)
    assert not any(left for left, _ in bench.frames[5 * CHUNK_FRAMES : 14 * CHUNK_FRAMES])
    assert [left for left, _ in bench.frames[14 * CHUNK_FRAMES :]] == [5000] * 1024


def test_codec_and_channels_may_change_from_chunk_to_chunk():
    bench = Bench()
    bench.open()
    bench.feed(0, 5, channels=1)
    bench.feed(5, 9, channels=2)
    bench.feed(9, 14, channels=1)
    # A predictor that is not moved by its codes: the smallest step, and its first half.
    adpcm = (struct.pack("<hBB", 3000, 0, 0) + bytes(128)) * 2
    bench.renderer.ring.put(audio.header(1, audio.IMA_ADPCM, 2, 14) + adpcm)
    bench.renderer.ring.put(audio.header(1, audio.IMA_ADPCM, 1, 15) + adpcm[:132])
    bench.feed(16, 20, channels=1)
    bench.play(20)
    at = 14 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[:at]] == _SOURCE[:at]
    assert bench.frames[at : at + 512] == [(3000, 3000)] * 512
    at += 512
    assert [left for left, _ in bench.frames[at:]] == _SOURCE[at : 20 * CHUNK_FRAMES]
    assert bench.renderer.underruns == 0


def test_what_replaces_the_buffered_is_heard_from_its_number_on():
    bench = Bench()
    bench.open()
    bench.feed(0, 40)
    bench.play(10)
    bench.feed(15, 40, channels=2, replace=audio.REPLACE, sign=-1)
    bench.play(20)
    at = 15 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[:at]] == _SOURCE[:at]
    assert [-left for left, _ in bench.frames[at:]] == _SOURCE[at : 30 * CHUNK_FRAMES]
    assert bench.renderer.underruns == 0


def test_a_latency_trim_is_slewed_while_it_would_be_heard():
    bench = Bench(keep=False)
    bench.open()
    bench.feed(0, 90)
    bench.play(10)
    bench.renderer.trim_us(1000)  # 48 frames later
    for _ in range(110):
        bench.feed(bench.renderer.ring.next, bench.renderer.ring.next + 20)
        bench.play(1)
        assert abs(bench.renderer.error_mf) <= 1500
    assert bench.renderer.realigns == 0
    assert 46 <= bench.renderer.trims <= 49
    bench.keep = True
    bench.play(1)
    first = [left for left, _ in bench.frames]
    due = 120 * CHUNK_FRAMES - 48
    assert first in (_song(due, 256), _song(due + 1, 256), _song(due - 1, 256))


def test_a_latency_trim_set_in_silence_holds_from_the_first_frame():
    for us, frames in ((1000, 48), (-1000, -48)):
        bench = Bench()
        bench.renderer.trim_us(us)
        bench.open(start_x3=13 * _BLOCK_X3)
        bench.feed(0, 10)
        bench.play(8)
        at = 3 * CHUNK_FRAMES + frames
        assert not any(left for left, _ in bench.frames[:at])
        assert [left for left, _ in bench.frames[at : at + 300]] == _SOURCE[:300]
        assert bench.renderer.trims == 0


def _song(first, count):
    return [_SOURCE[n % len(_SOURCE)] for n in range(first, first + count)]


def test_blocks_of_the_stream_are_counted():
    bench = Bench()
    bench.open()
    bench.feed(0, 5)
    bench.play(4)
    assert bench.renderer.played_blocks == 4
    bench.play(10)
    assert bench.renderer.played_blocks == 5


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


def test_while_nobody_knows_when_a_block_will_sound_it_is_silent():
    bench = Bench()
    bench.open()
    bench.feed(0, 40)
    bench.play(10)
    bench.renderer.missed()
    bench.output.certain = False
    bench.play(5)
    assert not any(left for left, _ in bench.frames[10 * CHUNK_FRAMES :])
    bench.output.certain = True
    bench.output.shift_x3 = 2 * _BLOCK_X3
    bench.play(5)
    assert bench.renderer.trims == 0
    at = 18 * CHUNK_FRAMES
    due = at + 2 * CHUNK_FRAMES
    assert [left for left, _ in bench.frames[at : at + 256]] == _SOURCE[due : due + 256]

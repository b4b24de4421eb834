"""The DAC of a PC is the same ring as a board's: it is held against the tests' own."""

import random
import wave

from phantom.port import pc
from tests.firmware.dma import PERIOD, VirtualI2S

_BLOCK = 1024


class _Kept:
    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def write(self, block: bytes) -> None:
        self.blocks.append(block)

    def close(self) -> None:
        pass


class _Clock:
    """Nanoseconds, and thirds of a microsecond."""

    def __init__(self) -> None:
        self.x3 = 0

    def ns(self) -> int:
        return self.x3 * 1000 // 3


def test_it_takes_and_puts_out_what_the_ring_of_a_board_does() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        clock, kept = _Clock(), _Kept()
        depth = chance.randrange(2, 20)
        dac, model = pc.Dac(depth, kept, clock.ns), VirtualI2S(depth)
        for number in range(1, 600):
            # Steps that are whole microseconds; now and then a stall longer than the ring.
            clock.x3 += 3 * chance.choice((0, 900, 5000, 5334, 20000, PERIOD * 8))
            model.advance(clock.x3)
            block = bytearray([number & 255 or 1]) * _BLOCK
            assert dac.write(block) == model.write(block)
        # The model's last one still plays.
        finished = [content or bytes(_BLOCK) for _, content in model.played[:-1]]
        assert kept.blocks == finished


def test_a_recording_is_whole_while_it_grows(tmp_path) -> None:
    recording = pc.Recording(tmp_path / "out.wav")
    for _ in range(200):
        recording.write(bytes([1]) * _BLOCK)
    with wave.open(str(tmp_path / "out.wav")) as song:
        assert song.getnframes() == 188 * 256
    recording.close()
    with wave.open(str(tmp_path / "out.wav")) as song:
        assert (song.getnframes(), song.getnchannels(), song.getframerate()) == (51200, 2, 48000)

"""The clock's kernel in the board's own machine code against the same source as plain Python."""

from array import array
from pathlib import Path

from phantom import envelope
from tests.portable import Random
from tools import xtensa

_SKEW_LIMIT = 100 * envelope.SKEW_UNIT  # +-100 ppm, as clock.py tries
_WINDOW = 64 * 1024  # 64 s in 1/1024 s


def test_machine_code_finds_the_same_edges() -> None:
    kernels = xtensa.load(Path(envelope.__file__))
    random = Random(1)
    for count in (0, 1, 2, 64):
        now = random.below(envelope.TIME_MASK + 1)  # the window may lie across the wrap
        points = array("i")
        for _ in range(count):
            delay = random.below(1 << 20)
            points.append(now - random.below(_WINDOW) & envelope.TIME_MASK)
            points.append(envelope.BIAS + delay)
            points.append(envelope.BIAS - random.below(1 << 20))
        for skew in (0, _SKEW_LIMIT, -_SKEW_LIMIT, random.between(-_SKEW_LIMIT, _SKEW_LIMIT)):
            board, plain = array("i", bytes(16)), array("i", bytes(16))
            kernels.edges(points, count, now, skew, board)
            envelope.edges(points, count, now, skew, plain)
            assert board == plain, (count, skew)

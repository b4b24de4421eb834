"""The board's own machine code under the tests of test_dsp.py, and within its budgets."""

from pathlib import Path

import pytest

from phantom import dsp
from tests.firmware import test_dsp
from tools import xtensa

_SOURCE = Path(dsp.__file__)
_TESTS = [name for name in dir(test_dsp) if name.startswith("test_")]

# Code and constants, loaded into a WROOM's executable RAM for good; the tables add 5.6 KB.
_FILE_BUDGET_BYTES = 6 * 1024
# One stereo block of 256 frames lasts 5.333 ms. No call may hold the interpreter for 1 ms of it.
_CALL_BUDGET_CYCLES = 160_000  # at 160 MHz


@pytest.fixture(name="kernels", scope="module")
def _kernels() -> xtensa.Kernels:
    return xtensa.load(_SOURCE)


class _Board:
    """`phantom.dsp` as a board has it: kernels in machine code, tables built by machine code."""

    def __init__(self, kernels: xtensa.Kernels) -> None:
        self._kernels = kernels
        self.ADPCM_TABLES = bytearray(len(dsp.ADPCM_TABLES))
        steps = b"".join(step.to_bytes(2, "little") for step in dsp._STEPS)
        kernels._fill_adpcm_tables(self.ADPCM_TABLES, steps)

    def __getattr__(self, name: str) -> xtensa.Kernel:
        return getattr(self._kernels, name)


@pytest.mark.parametrize("name", _TESTS)
def test_machine_code_passes(
    name: str, kernels: xtensa.Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_dsp, "dsp", _Board(kernels))
    getattr(test_dsp, name)()


def test_machine_code_builds_the_same_adpcm_tables(kernels: xtensa.Kernels) -> None:
    assert _Board(kernels).ADPCM_TABLES == dsp.ADPCM_TABLES


def test_copies_of_a_buffer_that_starts_unaligned_stay_right(kernels: xtensa.Kernels) -> None:
    for skew in range(4):
        target = bytearray(32)
        kernels.copy_bytes(target, 0, xtensa.Skewed(bytearray(range(32)), skew), 0, 20)
        assert target == bytes(range(skew, skew + 20)) + bytes(12)
    target = bytearray(32)
    kernels.copy(target, 0, xtensa.Skewed(bytearray(range(32)), 2), 0, 10)
    assert target == bytes(range(2, 22)) + bytes(12)


def test_the_compiled_module_keeps_to_its_size_budget(kernels: xtensa.Kernels) -> None:
    assert kernels.file_bytes <= _FILE_BUDGET_BYTES


def test_no_kernel_holds_the_interpreter_for_a_millisecond(kernels: xtensa.Kernels) -> None:
    pcm, block = bytearray(2048), bytearray(1024)
    calls = {
        "copy": (block, 0, pcm, 1, 512),
        "copy_bytes": (block, 0, pcm, 1, 1024),
        "decode_adpcm": (block, 0, 2, pcm, 0, dsp.ADPCM_TABLES),
        "gain": (block, 0, 256, 0, 32768),
        "mix": (block, 0, pcm, 0, 512),
        "resample": (block, 0, pcm, 0, 2, 257),
        "silence": (block, 0, 512),
        "spread": (block, 0, pcm, 0, 256),
    }
    public = {kernel.name for kernel in kernels if not kernel.name.startswith("_")}
    assert calls.keys() == public
    for name, arguments in calls.items():
        kernel = getattr(kernels, name)
        kernel(*arguments)
        assert 0 < kernel.last_cost.cycles <= _CALL_BUDGET_CYCLES, name

"""Each chip's own machine code under the tests of the kernels: every block of it, bit-exact.

The kernels are found, not listed: a viper function anywhere in the firmware that no test here
calls fails one.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from phantom import dsp
from tests.firmware import test_dsp, test_dsp_anything
from tools import native

_FIRMWARE = Path(dsp.__file__).parents[1]
_SOURCE = Path(dsp.__file__)
_MODULES = (test_dsp, test_dsp_anything)
_TESTS = [(m, name) for m in _MODULES for name in dir(m) if name.startswith("test_")]
_NATIVE = re.compile(r"^\s*@micropython\.(viper|native|asm_\w+)", re.MULTILINE)

# One stereo block of 256 frames lasts 5.333 ms. No call may hold the interpreter for 1 ms of it.
_CALL_BUDGET_CYCLES = 160_000  # at 160 MHz


@pytest.fixture(name="kernels", scope="module", params=native.TARGETS, ids=lambda t: t.name)
def _kernels(request: pytest.FixtureRequest) -> native.Kernels:
    return native.load(_SOURCE, request.param)


class _Board:
    """`phantom.dsp` as a board has it: kernels in machine code, tables built by machine code."""

    def __init__(self, kernels: native.Kernels) -> None:
        self._kernels = kernels
        self.ADPCM_TABLES = bytearray(len(dsp.ADPCM_TABLES))
        steps = b"".join(step.to_bytes(2, "little") for step in dsp._STEPS)
        kernels._fill_adpcm_tables(self.ADPCM_TABLES, steps)

    def __getattr__(self, name: str) -> native.Kernel:
        return getattr(self._kernels, name)


@pytest.mark.parametrize(
    ("module", "name"), _TESTS, ids=[f"{m.__name__.split('.')[-1]}:{name}" for m, name in _TESTS]
)
def test_machine_code_passes(
    module: ModuleType, name: str, kernels: native.Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "dsp", _Board(kernels))
    getattr(module, name)()


@pytest.mark.parametrize("target", native.TARGETS, ids=lambda target: target.name)
def test_every_block_of_every_kernel_runs(
    target: native.Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = native.load(_SOURCE, target)
    monkeypatch.setattr(test_dsp_anything, "dsp", _Board(kernels))
    for module, name in _TESTS:
        if module is test_dsp_anything:
            getattr(module, name)()
    test_copies_of_a_buffer_that_starts_unaligned_stay_right(kernels)
    for kernel in kernels:
        with pytest.raises(TypeError, match="does not take 0 arguments"):
            kernel()
        with pytest.raises(TypeError, match="does not take 1 arguments"):
            kernel(0, keywords=1)
        places = ", ".join(hex(address) for address in kernel.never_run())
        assert not places, f"{target.name}: no test runs {kernel.name} at {places}"


def test_no_native_code_of_the_firmware_is_left_out() -> None:
    for path in sorted(_FIRMWARE.rglob("*.py")):
        kinds = set(_NATIVE.findall(path.read_text(encoding="utf-8")))
        name = path.relative_to(_FIRMWARE)
        assert kinds <= {"viper"}, f"{name}: only viper is modelled, not {kinds}"
        assert not kinds or path == _SOURCE, (
            f"{name} has viper functions that no test runs as machine code: move them to "
            f"{_SOURCE.name}, or teach this test their module"
        )


def test_machine_code_builds_the_same_adpcm_tables(kernels: native.Kernels) -> None:
    assert _Board(kernels).ADPCM_TABLES == dsp.ADPCM_TABLES


def test_copies_of_a_buffer_that_starts_unaligned_stay_right(kernels: native.Kernels) -> None:
    for skew in range(4):
        target = bytearray(32)
        kernels.copy_bytes(target, 0, native.Skewed(bytearray(range(32)), skew), 0, 20)
        assert target == bytes(range(skew, skew + 20)) + bytes(12)
    target = bytearray(32)
    kernels.copy(target, 0, native.Skewed(bytearray(range(32)), 2), 0, 10)
    assert target == bytes(range(2, 22)) + bytes(12)


def test_no_kernel_holds_the_interpreter_for_a_millisecond(kernels: native.Kernels) -> None:
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

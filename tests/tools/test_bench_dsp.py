"""What `phantom bench dsp` counts, and that the firmware keeps to its share of a core."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.bench import dsp, load, results
from tools.bench.one_board import BLOCK_US, Setup

# Half of one core is for the event loop's spinning, collection and what the projection leaves out.
_BUDGET_PERCENT_240_MHZ = 30
_BUDGET_TRIMMED_PERCENT_160_MHZ = 60


@pytest.fixture(name="figures", scope="module")
def _figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The bench's file, from a run of the most demanding set-up only."""
    folder = tmp_path_factory.mktemp("bench")
    setups = {"ADPCM stereo": Setup("ima-adpcm", 2, 16384)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dsp, "_SETUPS", setups)
        patch.setattr(results, "folder", lambda: folder)
        assert dsp.main(["--json"]) == 0
    return json.loads((Path(folder) / "dsp.json").read_text())


def test_every_public_kernel_is_in_the_figures(figures: dict[str, Any]) -> None:
    measured = {name.split(",")[0] for name in figures["kernels"]}
    firmware = load.Firmware()
    assert measured == {k.name for k in firmware.kernels if not k.name.startswith("_")}


def test_a_share_is_the_cycles_of_48000_frames_a_second(figures: dict[str, Any]) -> None:
    gain = figures["kernels"]["gain, ramp"]
    expected = 100 * gain["cycles_per_frame"] * 48000 / 240e6
    assert gain["core_240_mhz_percent"] == pytest.approx(expected, abs=0.01)
    assert gain["core_160_mhz_percent"] == pytest.approx(expected * 1.5, abs=0.01)


def test_kernels_cost_what_such_kernels_were_found_to_cost(figures: dict[str, Any]) -> None:
    """An ADPCM decoder with tables was counted at 99 cycles a sample, gain at 53."""
    kernels = figures["kernels"]
    assert 50 < kernels["decode_adpcm, mono"]["cycles_per_frame"] <= 99
    assert 50 < kernels["gain, ramp"]["cycles_per_frame"] <= 2 * 53


def test_the_firmware_keeps_to_its_share_of_a_core(figures: dict[str, Any]) -> None:
    room = figures["firmware"]["ADPCM stereo"]
    assert room["core_240_mhz_percent"] <= _BUDGET_PERCENT_240_MHZ
    trimmed = room["trimmed_block"]["both"]["core_160_mhz_percent"]
    assert trimmed <= _BUDGET_TRIMMED_PERCENT_160_MHZ


def test_a_trimmed_block_is_one_that_was_resampled(figures: dict[str, Any]) -> None:
    room = figures["firmware"]["ADPCM stereo"]
    trimmed, mean = room["trimmed_block"]["kernel_cycles"], room["block"]["kernel_cycles"]
    assert trimmed["resample"] > 100_000
    assert trimmed["resample"] > 4 * mean.get("resample", 0)
    assert room["trimmed_blocks_percent"] == pytest.approx(1.02, abs=0.01)


def test_the_method_is_stated(figures: dict[str, Any]) -> None:
    assert "no board was measured" in figures["method"]


def test_counting_twice_gives_the_same() -> None:
    setup = Setup("pcm16", 1, 32768)
    assert load.Firmware().load(setup) == load.Firmware().load(setup)


def test_work_adds_up_by_clock_and_period() -> None:
    work = load.Work({"a": 12_000.0, "b": 12_000.0}, 40.0)
    assert work.interpreter_us(240) == 100
    assert work.interpreter_us(160) == 150
    # 24000 cycles are 100 us at 240 MHz.
    assert work.share_percent(240, BLOCK_US) == pytest.approx(100 * 200 / BLOCK_US)

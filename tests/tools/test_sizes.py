"""The firmware keeps to its budget of bytes, and whoever overruns it is told what grew."""

import tomllib

import pytest

from tools import sizes

_REMEDY = "make it smaller, or, if it is worth it, `python -m tools.sizes --write` and say why"


@pytest.fixture(name="measured", scope="module")
def _measured() -> sizes.Table:
    return sizes.measure()


def test_the_firmware_keeps_to_its_budget(measured: sizes.Table) -> None:
    faults = sizes.overruns(measured, sizes.budgets())
    if faults:
        pytest.fail("\n".join([*faults, _REMEDY]), pytrace=False)


def test_each_board_has_a_budget(measured: sizes.Table) -> None:
    for march in ("xtensawin", "rv32imc"):
        assert measured[f"slot.{march}"]["total"] == sum(measured[f"files.{march}"].values())
        assert "phantom/dsp.mpy" in measured[f"files.{march}"]
        assert measured[f"kernels.{march}"].keys() >= {"copy", "gain", "decode_adpcm"}


def test_what_is_written_is_what_is_read_with_a_tenth_of_room(measured: sizes.Table) -> None:
    read = tomllib.loads(sizes.written(measured))
    size = measured["kernels.xtensawin"]["copy"]
    assert 1.10 * size <= read["kernels"]["xtensawin"]["copy"] < 1.10 * size + 10
    assert read["files"]["rv32imc"] == measured["files.rv32imc"]


def test_what_grew_is_named(measured: sizes.Table) -> None:
    small = tomllib.loads(sizes.written(measured))
    allowed: sizes.Table = {"loader": {"total": 10}}
    for kind in ("kernels", "slot", "files"):
        allowed |= {f"{kind}.{march}": dict(values) for march, values in small[kind].items()}
    allowed["kernels.rv32imc"]["gain"] = 100
    allowed["slot.xtensawin"] = {"total": 1, "largest": 1}
    allowed["files.xtensawin"]["phantom/link.mpy"] -= 1000
    allowed["files.xtensawin"]["phantom/gone.mpy"] = 1000
    del allowed["kernels.xtensawin"]["mix"]
    allowed["kernels.xtensawin"]["reverb"] = 500
    faults = "\n".join(sizes.overruns(measured, allowed))
    assert "loader: total is" in faults
    assert "kernels.rv32imc: gain is" in faults
    assert "kernels.xtensawin: mix" in faults
    assert "has no budget" in faults
    assert "reverb has a budget but is no more" in faults
    assert "grown since it was set: phantom/link.mpy +1000" in faults
    assert "slot.xtensawin: largest is" in faults
    assert len(faults.splitlines()) == 6

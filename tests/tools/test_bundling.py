"""Bundles as they are made: of which sources, for which chips, and what can't be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from phantom import manifest
from storagebox.coordinator.updates.bundle import read
from tools.update import bundling
from tools.update.bundling import BundlingError


@pytest.fixture(name="package")
def _package(tmp_path: Path) -> Path:
    package = tmp_path / "checkout" / "firmware" / "phantom"
    (package / "wire").mkdir(parents=True)
    (package / "__init__.py").write_text('"""Doc."""\n\nVERSION = "0.3.0-rc1"\n')
    (package / "device.py").write_text("import micropython\n\n\ndef run():\n    return 1\n")
    (package / "wire" / "__init__.py").write_text("")
    return package


def test_sources_are_found_in_a_checkout_its_firmware_or_as_they_are(package: Path):
    for folder in (package.parent.parent, package.parent, package):
        assert bundling.sources(folder) == package
    with pytest.raises(BundlingError, match="no firmware in it: name a checkout of Phantom"):
        bundling.sources(package / "wire")
    with pytest.raises(BundlingError, match="no firmware in it"):
        bundling.sources(package / "nowhere")


@pytest.mark.parametrize("arch", bundling.ARCHITECTURES)
def test_a_bundle_is_what_the_box_reads(package: Path, tmp_path: Path, arch: str):
    made = bundling.build(arch, tmp_path, package)
    assert made == tmp_path / f"phantom-0.3.0-rc1-{arch}.phantom"
    bundle = read(made)
    assert (bundle.version, bundle.board, bundle.arch) == ("0.3.0-rc1", manifest.ANY_BOARD, arch)
    names = [name for _, _, name in manifest.parse(bundle.text).files]
    assert names == ["phantom/__init__.mpy", "phantom/device.mpy", "phantom/wire/__init__.mpy"]
    assert all(content.startswith(b"M") for content in bundle.files)


def test_the_same_sources_are_the_same_bundle(package: Path, tmp_path: Path):
    octets = [
        bundling.build("xtensawin", tmp_path / f"{n}.phantom", package).read_bytes()
        for n in range(2)
    ]
    assert octets[0] == octets[1]


def test_what_is_installed_here_makes_a_bundle_that_a_board_takes(tmp_path: Path):
    from phantom import VERSION

    bundle = read(bundling.build("rv32imc", tmp_path))
    assert bundle.version == VERSION
    assert len(bundle.files) > 40
    assert bundle.fits("esp32_generic_c3", "rv32imc")
    assert not bundle.fits("esp32_generic", "xtensawin")


def refusal(arch: str, into: Path, package: Path) -> str:
    with pytest.raises(BundlingError) as caught:
        bundling.build(arch, into, package)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_can_not_be_made_is_said_in_one_line(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    told = refusal("esp32", tmp_path, package)
    assert told == "--arch esp32: choose of xtensawin, rv32imc, x64"
    nowhere = tmp_path / "nowhere" / "x.phantom"
    assert refusal("x64", nowhere, package) == f"{nowhere}: No such file or directory"
    monkeypatch.setattr(bundling, "MAX_TOTAL_BYTES", 100)
    assert "bytes of code are too many: a board's slot holds 100" in refusal(
        "x64", tmp_path, package
    )
    (package / "device.py").write_text("def run(:\n")
    assert "phantom/device.py does not compile" in refusal("x64", tmp_path, package)
    (package / "__init__.py").write_text("VERSION = 3\n")
    assert '__init__.py: no line VERSION = "…" in it' in refusal("x64", tmp_path, package)
    assert list(tmp_path.glob("*.phantom")) == []

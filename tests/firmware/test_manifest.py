"""The manifest with which MicroPython's build freezes Phantom into an image."""

import os
from pathlib import Path

from boards.image import firmware

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"


def test_it_freezes_what_a_board_gets_and_no_more(monkeypatch, tmp_path):
    included = []
    frozen = {}

    def package(path, files, opt):
        frozen[path] = (files, opt)

    monkeypatch.chdir(FIRMWARE)  # MicroPython's manifestfile.py runs it in its folder
    source = (FIRMWARE / "manifest.py").read_text()
    exec(source, {"include": included.append, "package": package})
    assert included == ["$(PORT_DIR)/boards/manifest.py"]
    files, opt = frozen["phantom"]
    compiled = firmware.compile_firmware(tmp_path, "xtensawin") / "phantom"
    boards_get = {str(p.relative_to(compiled).with_suffix(".py")) for p in compiled.rglob("*.mpy")}
    assert set(files) == boards_get
    assert opt == 3
    assert all(os.path.exists(FIRMWARE / "phantom" / name) for name in files)

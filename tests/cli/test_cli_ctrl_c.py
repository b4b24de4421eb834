"""Ctrl-C at any time: one line, exit status 130, the cursor back, and nothing left running."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boards.image import standin
from tests.cli.pressed import Ended, ctrl_c


@pytest.fixture(name="port")
def _port() -> Iterator[str]:
    """A serial port at which nobody answers."""
    main, side = pty.openpty()
    yield os.ttyname(side)
    os.close(main)
    os.close(side)


def check(ended: Ended, line: str) -> None:
    assert ended.status == 130
    assert ended.written.endswith(f"phantom: {line}\r\n")
    assert ended.written.count("phantom: ") == 1
    assert "Traceback" not in ended.written
    assert ended.written.count("\x1b[?25h") >= ended.written.count("\x1b[?25l")
    assert ended.left == ""


def somebody_has(port: str) -> Callable[[str], bool]:
    """Whether a program has opened the port."""

    def opened(_: str) -> bool:
        for process in Path("/proc").glob("[0-9]*/fd/*"):
            if process.parts[2] != str(os.getpid()):
                try:
                    if process.readlink() == Path(port):
                        return True
                except OSError:
                    continue
        return False

    return opened


def test_logs(port: str):
    pytest.importorskip("serial", reason="pyserial is missing: install Phantom's extra `boards`")
    check(ctrl_c("logs", "--port", port, when=somebody_has(port)), "logs: interrupted")


def test_flash_ends_esptool_as_well_and_says_what_to_do(port: str, tmp_path: Path):
    pytest.importorskip("esptool", reason="esptool is missing: install Phantom's extra `boards`")
    image = tmp_path / "firmware.bin"
    image.write_bytes(standin.micropython("esp32", application_bytes=100_000))
    arguments = ("flash", "--board", "esp32_generic", "--firmware", str(image), "--port", port)
    ended = ctrl_c(*arguments, "--no-wifi", "--new", when=somebody_has(port))
    check(ended, "flash: interrupted: repeat it, and it goes on from there")
    assert "chip         interrupted" in ended.written


AMID_IMPORTS = """
import sys
from storagebox.cli import main

class Key:
    def find_spec(self, name, *_):
        if name == "storagebox.cli.updating":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Key())
main()
"""


def test_one_that_has_hardly_begun():
    done = subprocess.run(
        [sys.executable, "-c", AMID_IMPORTS], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (130, "phantom: interrupted\n")

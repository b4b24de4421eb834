"""The panel beside a box that runs, on Blinka's board that every machine has.

That board's pins are peculiar: an input toggles with every reading, and an output reads True
whatever was written. So its one button is pressed and let go for ever, and nothing is read back.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from storagebox.cli.commands import app
from storagebox.control import CONTROL_SOCKET
from storagebox.journal import Journal
from storagebox.pins.beside import beside
from storagebox.pins.blinka import BlinkaGpio
from storagebox.pins.gpio import GpioError
from tests.running_box import running, write_music
from tests.standins import until
from tests.test_cli import ENVIRONMENT

HOST = Path(__file__).resolve().parents[2] / "host" / "storagebox"
AGNOSTIC = """
debounce-ms = 0
[buttons]
play = { pin = "Dx_INPUT_TOGGLE", active = "high", pull = "none" }
[lights]
status = "Dx_OUTPUT"
"""


@pytest.fixture(name="agnostic")
def _agnostic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BLINKA_OS_AGNOSTIC", "1")
    file = tmp_path / "pins.toml"
    file.write_text(AGNOSTIC)
    return file


def events(journal: Journal, name: str) -> list[dict[str, Any]]:
    return [event for event in journal.latest if event["event"] == name]


def test_a_press_reaches_the_box_that_plays(agnostic: Path, tmp_path: Path):
    async def story() -> None:
        song = tmp_path / "song.wav"
        write_music(song, 20.0)
        async with running(tmp_path, {"solo": "both"}) as run:
            await run.play(song)
            journal = run.box.journal
            async with beside(agnostic, run.box.control_path, journal):
                await until(lambda: events(journal, "pins.ready"), "the panel is ready")
                await until(
                    lambda: (
                        {"pause", "resume"}
                        <= {event["order"] for event in events(journal, "pins.pressed")}
                    ),
                    "it pauses and goes on",
                )
            told = len(events(journal, "pins.pressed"))
            await asyncio.sleep(0.05)
            assert len(events(journal, "pins.pressed")) == told  # it has ended with the block
            assert events(journal, "pins.refused") == []

    asyncio.run(story())


def test_a_panel_that_dies_is_started_again_and_the_box_never_minds(
    agnostic: Path, tmp_path: Path
):
    async def story() -> None:
        journal = Journal(None)
        async with beside(agnostic, tmp_path / CONTROL_SOCKET, journal, restart_s=0.01):
            await until(lambda: events(journal, "pins.ready"), "the panel is ready")
            os.kill(_child(agnostic), signal.SIGKILL)
            await until(lambda: len(events(journal, "pins.ready")) == 2, "another one")
            assert events(journal, "pins.ended")[0]["status"] == -signal.SIGKILL
            child = _child(agnostic)
        assert not Path(f"/proc/{child}").exists()

    asyncio.run(story())


def _child(file: Path) -> int:
    """The process that has this file on its command line."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # gone meanwhile
        if str(file).encode() in words:
            return int(process.name)
    raise AssertionError("no panel runs")


def test_pins_that_the_machine_has_not_are_one_event_and_no_more_tries(
    agnostic: Path, tmp_path: Path
):
    agnostic.write_text("[buttons]\nplay = 17")

    async def story() -> Journal:
        journal = Journal(None)
        async with beside(agnostic, tmp_path / CONTROL_SOCKET, journal, restart_s=0.0):
            await until(lambda: events(journal, "pins.off"), "it gives up")
            await asyncio.sleep(0.05)
        return journal

    journal = asyncio.run(story())
    (told,) = journal.latest
    assert "pin D17: OS_AGNOSTIC_BOARD has none of this name" in told["reason"]


def python(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program where Blinka finds the board that every machine has."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**ENVIRONMENT, "BLINKA_OS_AGNOSTIC": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


PECULIAR = """
from storagebox.pins.blinka import BlinkaGpio
gpio = BlinkaGpio()
toggle = gpio.input("Dx_INPUT_TOGGLE", "none")
low = gpio.input("Dx_INPUT_FALSE", "up")
light = gpio.output("Dx_OUTPUT", False)
light.write(True)
light.write(False)
print(gpio.board, [toggle.read() for _ in range(4)], low.read())
gpio.close()
"""


def test_blinkas_own_pins():
    done = python(PECULIAR)
    expected = "OS_AGNOSTIC_BOARD [True, False, True, False] False\n"
    assert (done.stdout, done.stderr) == (expected, "")


# Faults of pins, with a double for Blinka: no machine has all of them


def blinka(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """A board with a pin D17 that can't be had."""

    def taken(_: object) -> None:
        raise fault

    board = SimpleNamespace(board_id="RASPBERRY_PI_4B", D17=SimpleNamespace(id=17))
    monkeypatch.setitem(sys.modules, "board", board)  # type: ignore[arg-type]
    pulls = SimpleNamespace(UP=1, DOWN=2)
    io = SimpleNamespace(DigitalInOut=taken, Pull=pulls)
    monkeypatch.setitem(sys.modules, "digitalio", io)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (PermissionError(13, "Permission denied"), "add it to the group gpio"),
        (OSError(16, "Device or resource busy"), "another program has it"),
        (
            RuntimeError("No Raspberry Pi header GPIO controller exposes GPIO 17"),
            "no GPIO chip of a Raspberry Pi",
        ),
        (RuntimeError("odd\nthing"), "pin D17: odd thing"),
    ],
)
def test_a_pin_that_cant_be_had_is_one_line_that_says_what_to_do(
    fault: Exception, words: str, monkeypatch: pytest.MonkeyPatch
):
    blinka(monkeypatch, fault)
    gpio = BlinkaGpio()
    for open_it in (lambda: gpio.input("D17", "up"), lambda: gpio.output("D17", False)):
        with pytest.raises(GpioError) as caught:
            open_it()
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "board", None)
    with pytest.raises(GpioError, match=r"phantom-multiroom\[pi\]"):
        BlinkaGpio()


NOBODY_ASKED = """
import sys
import storagebox.box, storagebox.cli.commands
import storagebox.pins.blinka, storagebox.pins.panel
print({"board", "digitalio", "adafruit_blinka", "gpiod"} & sys.modules.keys())
"""


def test_only_one_module_imports_blinka_and_only_when_pins_are_opened():
    named = re.compile(
        r"import board$|import_module\(\"board\"\)|digitalio|adafruit", re.MULTILINE
    )
    having = {
        path.relative_to(HOST).as_posix()
        for path in HOST.rglob("*.py")
        if named.search(path.read_text(encoding="utf-8"))
    }
    assert having == {"pins/blinka.py"}
    done = python(NOBODY_ASKED)
    assert (done.stdout, done.stderr) == ("set()\n", "")


# The command


def phantom(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], prog_name="phantom", catch_exceptions=False)


def test_the_wiring_is_shown_with_the_pins_of_the_header(tmp_path: Path):
    example = phantom("pins", "--example")
    file = tmp_path / "pins.toml"
    file.write_text(example.stdout)
    shown = phantom("pins", str(file))
    assert shown.exit_code == 0
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "button play 17 11 ground, pin 9 low up" in lines
    assert "light music 5 29 ground, pin 30 high" in lines
    assert phantom("pins").stdout == shown.stdout


def test_what_pins_cant_do_is_one_line(agnostic: Path, tmp_path: Path):
    for words, status, said in (
        (["pins", str(tmp_path / "none")], 2, "write one by `phantom pins --example"),
        (["pins", "--seconds", "1"], 2, "--seconds is for --test"),
        (["pins", "--test", "--json"], 2, "leave --json out"),
        (["box", "--pins", str(tmp_path / "none"), "--state", str(tmp_path)], 2, "No such file"),
    ):
        done = phantom(*words)
        assert done.exit_code == status, words
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_the_pins_are_tried_by_hand(agnostic: Path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "storagebox.cli", "pins", str(agnostic)),
            *("--test", "--seconds", "0.3"),
        ],
        env={**ENVIRONMENT, "BLINKA_OS_AGNOSTIC": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("light status is lit\n")
    assert "button play is down\nbutton play is up after " in done.stdout

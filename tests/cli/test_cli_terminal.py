"""The command as people meet it: a process on a terminal, a pipe, a shell that completes names."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.standin_box import StandinBox, standin_box

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 30.0
COMMAND = (sys.executable, "-m", "storagebox.cli")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")},
    "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in (".", "firmware", "host")),
    "TERM": "xterm-256color",
}


@pytest.fixture(name="box")
def _box(tmp_path: Path) -> Iterator[StandinBox]:
    with standin_box(tmp_path / "box.sock") as box:
        yield box


def on_a_terminal(*arguments: str) -> str:
    """What a command writes to a terminal of 80 columns."""
    main, side = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**ENVIRONMENT, "COLUMNS": "80"},
    ) as process:
        os.close(side)
        written = bytearray()
        with suppress(OSError):  # EIO: the other side is closed
            while data := os.read(main, 4096):
                written += data
        assert process.wait(PATIENCE_S) == 0
    os.close(main)
    return written.decode()


def test_a_terminal_gets_colours_and_a_pipe_none(box: StandinBox, tmp_path: Path):
    shown = on_a_terminal("status", "--state", str(tmp_path))
    assert "\x1b[" in shown
    assert "Odenwald" in shown
    piped = subprocess.run(
        [*COMMAND, "status", "--state", str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert "\x1b" not in piped.stdout
    assert "Odenwald" in piped.stdout


def test_watching_tells_each_change_as_json_until_ctrl_c(box: StandinBox, tmp_path: Path):
    box.changes = [{"kind": "room", "room": "Kitchen", "volume": 40.0}, {"kind": "missed"}]
    arguments = ["watch", "kitchen", "--json", "--state", str(tmp_path)]
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        assert process.stdout is not None
        heard = [json.loads(process.stdout.readline()) for _ in box.changes]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    assert heard == box.changes
    assert box.calls == [("watch", {"device": "kitchen"})]


def test_watching_ends_when_the_box_does(tmp_path: Path):
    arguments = [*COMMAND, "watch", "--state", str(tmp_path)]
    with standin_box(tmp_path / "box.sock") as box:
        box.changes = [{"kind": "began"}]
        process = subprocess.Popen(
            arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        assert process.stdout is not None
        assert process.stdout.readline().endswith("  began\n")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert errors == "phantom: the box has gone away\n"


def completed(line: str, shell: str = "zsh", **variables: str) -> list[str]:
    """What the shell is offered for the unfinished `line`."""
    words = line.split(" ")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv[0] = 'phantom'; import storagebox.cli as c; c.main()",
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={
            **ENVIRONMENT,
            "_PHANTOM_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            **variables,
        },
    )
    assert done.stderr == ""
    return done.stdout.strip().splitlines()


def test_names_are_completed_from_the_running_box(box: StandinBox, tmp_path: Path):
    state = f"--state {tmp_path}"
    assert completed(f"phantom unpair {state} ", "fish") == ["Bedroom", "Kitchen", "Living room"]
    assert completed(f"phantom play {state} --room Ki", "fish") == ["Kitchen"]
    assert completed(f"phantom play {state} --room Li", "bash") == ["Living\\ room"]
    assert completed(f"phantom trim {state} living", "fish") == ["living-l", "living-r"]
    assert completed(f"phantom adopt {state} ", "fish") == ["esp32-9a8b7c"]
    assert "Bedroom" in completed(f"phantom unpair {state} Bed")[0]
    assert completed("phantom unp", "fish")[0].startswith("unpair")


def test_completion_is_silent_without_a_box_and_gives_up_on_a_deaf_one(tmp_path: Path):
    assert completed(f"phantom unpair --state {tmp_path} ", "fish") == []
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "box.sock"))
        deaf.listen()
        assert completed(f"phantom unpair --state {tmp_path} ", "fish") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_can_be_shown_its_completion(shell: str):
    done = subprocess.run(
        [*COMMAND, "--show-completion", shell],
        check=False,
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    assert "COMPLETE" in done.stdout


def test_what_asks_the_box_imports_nothing_heavy(box: StandinBox, tmp_path: Path):
    probe = (
        "import sys; from storagebox.cli import main\n"
        f"sys.argv = ['phantom', 'status', '--state', {str(tmp_path)!r}]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'numpy', 'av', 'soxr', 'mutagen', 'matplotlib', 'httpx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr

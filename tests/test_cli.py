"""The command line, as a process: its exit status and its one line where something is wrong."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from storagebox.control import ControlClient
from tests import loopback

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in (".", "firmware", "host")),
    "COLUMNS": "200",
}
PATIENCE_S = 30.0


def phantom(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "storagebox.cli", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=ENVIRONMENT,
    )


def assert_refused(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """Exit status 2, and the last line on stderr holds the words; no traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("phantom: ")
    for word in words:
        assert word in last


def test_bad_input_is_one_line_and_exit_status_2(tmp_path: Path):
    state = ("--state", tmp_path / "state")
    music = ("--music", tmp_path / "nowhere")
    assert_refused(phantom("box", *state, *music), "nowhere", "--music")
    foreign = ("--address", "192.0.2.1")
    assert_refused(phantom("box", *state, *foreign), "192.0.2.1", "--address")
    file = tmp_path / "file"
    file.write_text("")
    assert_refused(phantom("box", "--state", file), "--state")
    (tmp_path / "state" / "installation.json").write_text("{")
    assert_refused(phantom("box", *state, "--address", loopback.address()), "installation.json")


def test_no_box_has_an_exit_status_of_its_own(tmp_path: Path):
    done = phantom("status", "--state", tmp_path)
    assert done.returncode == 3
    assert done.stderr == (
        f"phantom: {tmp_path}/box.sock: no box serves here: start `phantom box`\n"
    )


def test_a_busy_port_is_one_line_and_exit_status_2(tmp_path: Path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
        address = loopback.address()
        busy.bind((address, 4771))
        arguments = ("--state", tmp_path, "--address", address)
        assert_refused(phantom("box", *arguments), "port 4771", "busy")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "quit"])
def test_a_box_ends_in_good_order(how: str, tmp_path: Path):
    arguments = ["--state", tmp_path, "--address", loopback.address()]
    process = subprocess.Popen(
        [sys.executable, "-m", "storagebox.cli", "box", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    try:
        with ControlClient(tmp_path / "box.sock", PATIENCE_S) as control:
            assert control.call("status")["rooms"] == []
            if how == "quit":
                shown = phantom("status", "--state", tmp_path)
                assert "0 rooms" in shown.stdout
                nothing = phantom("play", "--state", tmp_path, tmp_path / "no.flac")
                assert_refused(nothing, "no.flac", "no such file")
                assert phantom("stop", "--state", tmp_path).returncode == 0
                control.call("quit")
            else:
                process.send_signal(signal.Signals[how])
        _, log = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0, log
    assert "box.ready" in log
    assert log.strip().splitlines()[-1].endswith("box.end")
    assert not (tmp_path / "box.sock").exists()


def test_help_names_every_command_and_costs_no_import_of_numpy():
    probe = (
        "import sys, runpy; sys.argv = ['phantom', '--help']\n"
        "try: runpy.run_module('storagebox.cli', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert 'numpy' not in sys.modules\n"
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
    commands = (
        "rooms adopt pair unpair name group ungroup play pause resume stop volume mute unmute "
    )
    commands += "trim forget identify status watch call box demo bench"
    for command in commands.split():
        assert f" {command} " in done.stdout

"""`phantom update`: what it asks of the box, shows of a job, and ends with."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner, Result

from phantom.rpc import INVALID_PARAMS, RpcError
from storagebox.cli import update_table, updating
from storagebox.cli.commands import app
from storagebox.coordinator.updates.board import Told, UpdateFailed
from storagebox.coordinator.updates.bundle import Bundle
from storagebox.coordinator.updates.candidate import Candidate
from storagebox.coordinator.updates.house import HouseUpdates
from tests.cli.pressed import ctrl_c
from tests.cli.standin_box import standin_box
from tests.coordinator.living_boards import NEW_VERSION, OLD_VERSION, write_bundle

PATIENCE_S = 30.0


class Board:
    """A board of the house as it is known; `ends` is how its update ends."""

    connected, safe, idle, boot, arch, board = True, False, True, 1, "xtensawin", "esp32_generic"
    version, slot, why_away = OLD_VERSION, "a", "switched off"

    def __init__(self, room: str) -> None:
        self.room = room
        self.id = f"esp32-{room.lower()}"
        self.failed: list[str] = []
        self.update: dict[str, Any] = {}
        self.ends: Callable[[], None] = lambda: setattr(self, "version", NEW_VERSION)


class Box:
    """The box's own side of updates, over boards that do as they are told; `gate` holds them."""

    def __init__(self, *rooms: str) -> None:
        self.boards = [Board(room) for room in rooms]
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.orders: list[dict[str, Any]] = []
        self._updates = HouseUpdates(self._candidates, self._one)

    def __getitem__(self, room: str) -> Board:
        return next(board for board in self.boards if board.room == room)

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Of its control socket."""
        return {
            "update": self._update,
            "updates": self._updates.boards,
            "cancel_update": self._updates.cancel,
            "wait": lambda **_: True,
        }

    async def _update(self, **order: Any) -> Any:
        self.orders.append(order)
        return await self._updates.update(**order)

    def _candidates(self, rooms: Sequence[str] | None) -> list[Candidate]:
        known = [board.room for board in self.boards]
        for room in rooms or ():
            if room not in known:
                raise RpcError(INVALID_PARAMS, f"no room {room!r}; there are {', '.join(known)}")
        found = [board for board in self.boards if rooms is None or board.room in rooms]
        return cast("list[Candidate]", found)

    async def _one(self, board: Candidate, bundle: Bundle, force: bool, told: Told) -> None:
        told("receiving", 300, 1000)
        self.begun.set()
        while not self.gate.is_set():
            await asyncio.sleep(0.005)
        cast("Board", board).ends()


@pytest.fixture(name="box")
def _box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(updating, "_LOOK_EVERY_S", 0.005)
    box = Box("Kitchen", "Bath", "Den")
    with standin_box(tmp_path / "box.sock", **box.methods()):
        yield box


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> str:
    return str(write_bundle(tmp_path / "new.phantom", arch="xtensawin"))


def phantom(tmp_path: Path, *arguments: str) -> Result:
    """Run `phantom update` in this process."""
    return CliRunner().invoke(
        app,
        ["update", *arguments, "--state", str(tmp_path)],
        prog_name="phantom",
        catch_exceptions=False,
    )


def test_a_pipe_gets_a_line_for_each_step(box: Box, file: str, tmp_path: Path):
    done = phantom(tmp_path, "--all", "--from", file)
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if "sending" not in line] == [
        "Kitchen: updated",
        "Bath: updated",
        "Den: updated",
    ]
    assert box.orders == [{"bundles": [file], "force": False}]
    assert [board.version for board in box.boards] == [NEW_VERSION] * 3


def test_rooms_and_force_are_passed_on(box: Box, file: str, tmp_path: Path):
    done = phantom(tmp_path, "Bath", "Den", "--from", file, "--force")
    assert done.exit_code == 0
    assert box.orders == [{"bundles": [file], "rooms": ["Bath", "Den"], "force": True}]


def test_what_is_there_already_is_well(box: Box, file: str, tmp_path: Path):
    box["Bath"].version = NEW_VERSION
    done = phantom(tmp_path, "Bath", "--from", file)
    assert (done.exit_code, done.stdout) == (0, "Bath: has it\n")


def test_a_failure_says_why_and_what_is_left_and_is_the_exit_status(
    box: Box, file: str, tmp_path: Path
):
    def fail() -> None:
        raise UpdateFailed("0.2.0 did not work: it crashed", "back on 0.1.0")

    box["Bath"].ends = fail
    done = phantom(tmp_path, "--all", "--from", file)
    assert done.exit_code == 1
    assert [line for line in done.stdout.splitlines() if "sending" not in line] == [
        "Kitchen: updated",
        "Bath: failed: 0.2.0 did not work: it crashed (back on 0.1.0)",
        "Den: not begun: Bath failed",
    ]


def test_a_board_that_is_skipped_is_the_exit_status_too(box: Box, file: str, tmp_path: Path):
    box["Den"].slot = "frozen"
    done = phantom(tmp_path, "--all", "--from", file)
    assert done.exit_code == 1
    assert (
        "Den: skipped: its code is in its image: flash it over its serial line, by `phantom flash`"
    ) in done.stdout.splitlines()
    assert box["Bath"].version == NEW_VERSION


def test_json_is_one_object_whatever_the_end(box: Box, file: str, tmp_path: Path):
    box["Bath"].slot = "frozen"
    done = phantom(tmp_path, "Kitchen", "Bath", "--from", file, "--json")
    assert done.exit_code == 1
    job = json.loads(done.stdout)
    assert (job["ok"], job["running"]) == (False, False)
    assert [(row["room"], row["state"]) for row in job["boards"]] == [
        ("Kitchen", "done"),
        ("Bath", "skipped"),
    ]
    assert job["boards"][0] == {
        "device": "esp32-kitchen",
        "room": "Kitchen",
        "before": OLD_VERSION,
        "version": NEW_VERSION,
        "state": "done",
        "done": 0,
        "of": 0,
        "reason": "",
        "left": "",
    }
    assert json.loads(phantom(tmp_path, "Kitchen", "--from", file, "--json").stdout)["ok"]


def test_sources_are_made_into_a_bundle_for_each_architecture_of_the_house(
    box: Box, tmp_path: Path
):
    package = tmp_path / "firmware" / "phantom"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f'VERSION = "{NEW_VERSION}"\n')
    (package / "device.py").write_text("x = 1\n")
    box["Den"].arch = "rv32imc"
    done = phantom(tmp_path, "--all", "--from", str(tmp_path))
    assert done.exit_code == 0, done.output
    (order,) = box.orders
    names = [Path(bundle).name for bundle in order["bundles"]]
    assert names == ["phantom-0.2.0-rv32imc.phantom", "phantom-0.2.0-xtensawin.phantom"]
    assert not Path(order["bundles"][0]).exists()  # it is the box's by now
    (package / "device.py").write_text("x = (\n")
    done = phantom(tmp_path, "--all", "--from", str(tmp_path))
    assert done.exit_code == 2
    assert done.stderr.startswith("phantom: firmware: phantom/device.py does not compile: ")


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("", 2, "update: name rooms, or give --all"),
        ("Bath --all", 2, "update: name rooms, or give --all"),
        ("Bath --watch", 2, "update: name rooms, or give --all (or --watch or --stop alone)"),
        ("Attic --from {file}", 2, "no room 'Attic'; there are Kitchen, Bath, Den"),
        ("--all --from {state}/none.phantom", 2, "none.phantom: no firmware in it"),
        ("--all --from {state}", 2, "{state}: no firmware in it: name a checkout of Phantom"),
        ("--all --from {state}/box.log", 2, "box.log: no bundle: a manifest that is damaged"),
        ("--watch", 1, "update: none is under way, and there was none since the box has started"),
        ("--stop", 1, "update: none is under way"),
    ],
)
def test_what_can_not_be_is_one_line(
    box: Box, file: str, tmp_path: Path, line: str, status: int, words: str
):
    (tmp_path / "box.log").write_text("no bundle\n")
    names = {"state": str(tmp_path), "file": file}
    done = phantom(tmp_path, *[word.format(**names) for word in line.split()])
    assert done.exit_code == status
    assert words.format(**names) in done.stderr
    assert done.stderr.startswith("phantom: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_without_a_box_the_exit_status_is_3(tmp_path: Path):
    assert phantom(tmp_path, "--all").exit_code == 3


def test_another_can_watch_it_or_stop_it_but_not_begin_a_second_one(
    box: Box, file: str, tmp_path: Path
):
    box.gate.clear()
    # A process of its own: two commands in one, each with the streams of its own, mix them up.
    command = [sys.executable, "-m", "storagebox.cli", "update", "--all", "--from", file]
    first = subprocess.Popen(
        [*command, "--state", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert box.begun.wait(PATIENCE_S)
        done = phantom(tmp_path, "Den", "--from", file)
        assert done.exit_code == 1
        assert "under way: `phantom update --watch` shows it, --stop ends it" in done.stderr
        done = phantom(tmp_path, "--stop")
        assert (done.exit_code, done.stdout) == (0, "stopped: no further board is begun\n")
        told, _ = first.communicate(timeout=PATIENCE_S)
    finally:
        first.kill()
    assert first.returncode == 1
    assert f"Kitchen: cancelled (runs {OLD_VERSION} as before)" in told
    assert "Bath: not begun: cancelled" in told
    watched = phantom(tmp_path, "--watch")
    assert watched.exit_code == 1
    assert watched.stdout.count("not begun: cancelled") == 2


def test_a_box_that_is_restarted_amid_it_is_waited_for_and_asked_again(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(updating, "_LOOK_EVERY_S", 0.005)
    first, second = Box("Kitchen", "Bath"), Box("Kitchen", "Bath")
    ended: list[Result] = []
    second["Kitchen"].version = NEW_VERSION  # the first box has got so far
    ordering = threading.Thread(
        target=lambda: ended.append(phantom(tmp_path, "--all", "--from", file))
    )
    first.gate.clear()
    with standin_box(tmp_path / "box.sock", **first.methods()):
        ordering.start()
        assert first.begun.wait(PATIENCE_S)
    with standin_box(tmp_path / "box.sock", **second.methods()):
        ordering.join(PATIENCE_S)
    assert ended[0].exit_code == 0
    assert ended[0].stderr == "the box has gone away: waiting for it\n"
    assert ended[0].stdout.splitlines()[-1] == "Bath: updated"
    assert second.orders == first.orders


def test_a_box_that_stays_away_is_a_failure(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(updating, "_LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(updating, "_BOX_BACK_S", 0.1)
    box = Box("Kitchen")
    box.gate.clear()
    ended: list[Result] = []
    ordering = threading.Thread(
        target=lambda: ended.append(phantom(tmp_path, "--all", "--from", file))
    )
    with standin_box(tmp_path / "box.sock", **box.methods()):
        ordering.start()
        assert box.begun.wait(PATIENCE_S)
    ordering.join(PATIENCE_S)
    assert ended[0].exit_code == 1
    assert "no box serves here: start `phantom box`" in ended[0].stderr


def test_ctrl_c_begins_no_further_board_and_says_so_in_one_line(
    box: Box, file: str, tmp_path: Path
):
    box.gate.clear()
    arguments = ("update", "--all", "--from", file, "--state", str(tmp_path))
    ended = ctrl_c(*arguments, when=lambda _: box.begun.is_set())
    assert ended.status == 130
    assert ended.written.endswith("phantom: update: interrupted: no further board is begun\r\n")
    assert "Traceback" not in ended.written
    assert ended.written.count("\x1b[?25h") == 1  # the cursor is back
    assert ended.left == ""
    assert f"cancelled (runs {OLD_VERSION} as before)" in ended.written
    assert [board.version for board in box.boards] == [OLD_VERSION] * 3


# What is shown


def row(**fields: Any) -> dict[str, Any]:
    """A row of a job."""
    empty = {"device": "esp32-1", "room": "Kitchen", "before": "0.1.0", "version": "0.2.0"}
    return {**empty, "state": "pending", "done": 0, "of": 0, "reason": "", "left": "", **fields}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, ""),
        ({"state": "receiving", "done": 999, "of": 1000}, "sending, 99 %"),
        ({"state": "receiving"}, "sending"),
        ({"state": "writing", "done": 500, "of": 1000}, "writing, 50 %"),
        ({"state": "waiting"}, "waits for the music to pause"),
        ({"state": "trial", "done": 5, "of": 10}, "on trial"),
        ({"state": "of a newer board"}, "of a newer board"),
        ({"state": "failed", "reason": "no", "left": "as before"}, "failed: no (as before)"),
    ],
)
def test_a_state_in_words(fields: dict[str, Any], words: str):
    assert update_table.said(row(**fields)) == words


def test_every_state_that_a_board_or_a_job_can_have_has_words():
    from phantom import updates
    from storagebox.coordinator.updates import board, job

    _, _, listed = (updates.__doc__ or "").partition("The property update.state")
    told = {line.split()[0] for line in listed.splitlines() if re.match("    [a-z]", line)}
    assert {"receiving", "proven"} <= told
    assert {*told, *job.OVER, *board.STARTED, "asking", "lost"} <= update_table.STATES.keys()


def test_the_table_fits_a_terminal_of_80_columns():
    from rich.console import Console

    job = {
        "boards": [
            row(device="esp32-9a8b7c6d5e4f", state="writing", done=1, of=3),
            row(room="", state="skipped", reason="away: no sign of life: has it power?"),
            row(room="Living [b]room[/b]", state="held", reason="Kitchen failed"),
        ]
    }
    console = Console(width=80, force_terminal=False)
    with console.capture() as shown:
        console.print(update_table.table(job))
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["room", "device", "from", "to", "state"]
    assert "writing, 33 %" in lines[1]
    assert "Living [b]room[/b]" in shown.get()
    assert " ".join(shown.get().split()).count("not begun: Kitchen failed") == 1

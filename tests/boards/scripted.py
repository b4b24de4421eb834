"""Boards whose main.py is a test's own script, and what it told."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from typing import Any

from boards.emulated.board import EmulatedBoard
from tests.boards.driver import wait_for

MakeBoard = Callable[..., EmulatedBoard]

_PRELUDE = "import json\ndef tell(**found): print('TOLD', json.dumps(found))\n"


def scripted(make_board: MakeBoard, script: str, **options: Any) -> EmulatedBoard:
    """A board that runs `script`, which calls `tell(name=value, ...)` with what it found."""
    scripts = {"boot.py": "", "main.py": _PRELUDE + textwrap.dedent(script)}
    board = make_board(files=scripts, **options)
    board.start()
    return board


def told(board: EmulatedBoard, count: int = 1) -> list[dict[str, Any]]:
    """Everything that was told, once that is `count` times; fails if the board ends before."""
    wait_for("the script", lambda: board.log().count("TOLD") >= count or not board.alive)
    found = re.findall(r"TOLD (.*)", board.log())
    assert len(found) >= count, board.log()
    return [json.loads(text) for text in found]

"""Emulated boards for tests: started on loopback addresses of their own, stopped at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from boards.emulated.board import EmulatedBoard
from tests import loopback
from tests.boards.driver import ClockServer
from tools.demo.installation import INSTALLATION


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the firmware of all boards is compiled, once."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def make_board(
    tmp_path: Path, micropython: str, compiled: Path
) -> Iterator[Callable[..., EmulatedBoard]]:
    boards: list[EmulatedBoard] = []

    def make(name: str = "kitchen", **options: Any) -> EmulatedBoard:
        os.environ["PHANTOM_MICROPYTHON"] = micropython
        options = {"installation": INSTALLATION, "compiled": compiled} | options
        board = EmulatedBoard(name, workdir=tmp_path, address=loopback.address(), **options)
        boards.append(board)
        return board

    yield make
    for board in boards:
        board.stop()


@pytest.fixture
def clock_server() -> Iterator[ClockServer]:
    server = ClockServer()
    yield server
    server.close()

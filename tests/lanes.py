"""Two lanes for a whole run: tests that keep time, one by one, and those that don't beside them.

Boards, boxes and whole houses mostly wait for their clocks, and would miss them beside busy
neighbours. So one worker of pytest-xdist runs all of them in order, while another takes the rest
at the lowest priority, a file at a time: it gets the processor's leftovers only.
"""

import contextlib
import functools
import os
import re
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import stalls

_ROOT = Path(__file__).resolve().parent
# Logic whose time is a parameter. A file elsewhere, or one of these that does keep time, says so
# itself: TIMED = False, or TIMED = True, at the start of a line.
_UNTIMED = {"balance", "coordinator", "firmware", "image", "library", "search", "store", "tools"}
_SAYS = re.compile(r"^TIMED = (True|False)$", re.MULTILINE)
# Eight boards and how each frame of theirs sounds: last, when the other lane is through.
_LAST = _ROOT / "house"
_LOWEST_PRIORITY = 19


@functools.cache
def keeps_time(path: Path) -> bool:
    """Whether the tests of this file depend on real clocks."""
    says = _SAYS.search(path.read_text(encoding="utf-8"))
    return says[1] == "True" if says else path.relative_to(_ROOT).parts[0] not in _UNTIMED


class Lanes(LoadScopeScheduling):
    """What is handed to workers: all that keeps time at once and first, the rest file by file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "" if keeps_time(self.config.rootpath / file) else file


def _give_way() -> None:
    """Leave the processor to whoever else wants it, boards in sessions of their own among them."""
    os.nice(_LOWEST_PRIORITY)
    # Linux weighs sessions against each other (sched_autogroup); nice counts only within one.
    with contextlib.suppress(OSError):
        os.setsid()
        Path("/proc/self/autogroup").write_text(str(_LOWEST_PRIORITY), encoding="ascii")


class Worker:
    """The plugin in each worker."""

    def __init__(self) -> None:
        self._gave_way = False
        self._sleeper: stalls.Sleeper | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: "list[pytest.Item]") -> None:
        items.sort(key=lambda item: (not keeps_time(item.path), _LAST in item.path.parents))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if not self._gave_way and not keeps_time(item.path):
            _give_way()
            self._gave_way = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        if not keeps_time(item.path):
            return None
        if self._sleeper is None:
            self._sleeper = stalls.Sleeper()
        stalls.run(item, nextitem, self._sleeper)
        return True

    def pytest_sessionfinish(self) -> None:
        if self._sleeper is not None:
            self._sleeper.close()

"""Three lanes for a whole run: boards, boxes, and what keeps no time; at the end, a whole house.

What keeps time mostly waits for it, so two such tests share two processors well, as long as they
are not of one kind: boards of one test are never on the air with those of another. Whatever needs
no clock has a lane at the lowest priority, a file at a time: it gets the processor's leftovers.
The house of eight needs all of the machine, and gets it when everybody else has gone home.
"""

import contextlib
import functools
import os
import re
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests import stalls

_ROOT = Path(__file__).resolve().parent
# Logic whose time is a parameter. A file elsewhere, or one of these that does keep time, says so
# itself: TIMED = False, or TIMED = True, at the start of a line.
_UNTIMED = {"balance", "coordinator", "firmware", "image", "library", "search", "store", "tools"}
_SAYS = re.compile(r"^TIMED = (True|False)$", re.MULTILINE)
# Of the folders whose tests keep time; those of other folders are the boxes'.
_LANES = {"boards": "boards", "tools": "boards", "house": "house"}
BOARDS, BOXES, LEFTOVERS, HOUSE = _ORDER = ("boards", "boxes", "leftovers", "house")
_LOWEST_PRIORITY = 19


@functools.cache
def lane(path: Path) -> str:
    """Where the tests of this file are run."""
    folder = path.relative_to(_ROOT).parts[0]
    says = _SAYS.search(path.read_text(encoding="utf-8"))
    timed = says[1] == "True" if says else folder not in _UNTIMED
    return _LANES.get(folder, BOXES) if timed else LEFTOVERS


class Lanes(LoadScopeScheduling):
    """What is handed to workers: a lane that keeps time at once, the leftovers file by file.

    The first worker has the boards, and the house once it is alone. It takes nothing else before,
    for whoever has given way to others doesn't get his priority back.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        of = lane(self.config.rootpath / file)
        return file if of == LEFTOVERS else of

    def _assign_work_unit(self, node: WorkerController) -> None:
        nodes = self.nodes
        for scope in self.workqueue:
            if len(nodes) == 1 or self._is_for(scope, node is nodes[0]):
                self.workqueue.move_to_end(scope, last=False)
                super()._assign_work_unit(node)
                return
        if node is not nodes[0]:
            node.shutdown()

    def _is_for(self, scope: str, first: bool) -> bool:
        """Whether a worker among several may have a unit."""
        if scope in (BOARDS, HOUSE):
            return first and scope == BOARDS
        return not (first and {BOARDS, HOUSE} & self.workqueue.keys())

    def remove_node(self, node: WorkerController) -> str | None:
        crashed = super().remove_node(node)
        if self.workqueue and len(self.nodes) == 1:
            self._reschedule(self.nodes[0])
        return crashed


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
        items.sort(key=lambda item: _ORDER.index(lane(item.path)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if not self._gave_way and lane(item.path) == LEFTOVERS:
            _give_way()
            self._gave_way = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        if lane(item.path) == LEFTOVERS:
            return None
        if self._sleeper is None:
            self._sleeper = stalls.Sleeper()
        stalls.run(item, nextitem, self._sleeper)
        return True

    def pytest_sessionfinish(self) -> None:
        if self._sleeper is not None:
            self._sleeper.close()

"""The house of eight, started once for all rows; a row that fails leaves none to the next."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from boards.emulated.interpreter import state_folder
from tests.conftest import require_micropython
from tests.house.eight import Eight
from tests.house.truth import now_us
from tests.networks import require_network

# Of the box's log, when a row has failed: what happened in it, and in the one before.
_LOG_LINES = 150


# How a row itself failed; it may be reported only after its teardown (tests/stalls.py).
_FAILED = pytest.StashKey[str]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when != "teardown":
        item.stash[_FAILED] = _why(report) if report.failed else ""
    return report


def _why(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message if crash else report.longreprtext


class _Shared:
    """The house as it stands, if it does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._house: Eight | None = None
        self.figures: dict[str, dict[str, list[float]]] = {}

    def take(self) -> Eight:
        if self._house is None:
            self._number += 1
            house = Eight(self._folder / f"house-{self._number}", seed=self._number)
            try:
                house.open()
            except BaseException:
                house.close()
                raise
            self._house = house
        return self._house

    def end(self) -> None:
        if self._house is not None:
            self._house.close()
            self._house = None


@pytest.fixture(scope="package")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Shared]:
    require_micropython()
    require_network()
    shared = _Shared(tmp_path_factory.mktemp("eight"))
    yield shared
    shared.end()
    report = state_folder() / "house" / "failures.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(shared.figures, indent=2) + "\n")


@pytest.fixture
def eight(_shared: _Shared, request: pytest.FixtureRequest) -> Iterator[Eight]:
    house = _shared.take()
    house.measured = {}
    begun = now_us()
    yield house
    _shared.figures[request.node.name] = house.measured
    if failure := request.node.stash[_FAILED]:
        print(house.said(failure, begun))
        print(house.box_log(_LOG_LINES))
        _shared.end()
    elif not house.is_well():
        _shared.end()

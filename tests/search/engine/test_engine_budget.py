"""A search's time is its own work: a machine that is busy makes it late, not approximate."""

from __future__ import annotations

import pytest

from storagebox.search.engine.budget import Budget


class Clocks:
    """A thread's own clock and the one on the wall, in milliseconds."""

    def __init__(self) -> None:
        self.worked_ms = 1000.0
        self.passed_ms = 5000.0

    def budget(self, budget_ms: float | None) -> Budget:
        return Budget(budget_ms, lambda: self.worked_ms / 1000, lambda: self.passed_ms / 1000)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_a_search_has_its_budget_of_work(clocks: Clocks) -> None:
    budget = clocks.budget(50)
    clocks.worked_ms += 49
    assert budget.has_time()
    assert not budget.cut
    clocks.worked_ms += 2
    assert not budget.has_time()
    assert budget.cut


def test_a_tenth_of_it_may_go_into_typos(clocks: Clocks) -> None:
    budget = clocks.budget(50)
    clocks.worked_ms += 4
    assert budget.has_time_for_typos()
    clocks.worked_ms += 2
    assert not budget.has_time_for_typos()
    assert budget.typos_cut
    assert budget.has_time()


def test_waiting_for_a_busy_machine_costs_nothing(clocks: Clocks) -> None:
    budget = clocks.budget(50)
    clocks.worked_ms += 2
    clocks.passed_ms += 450
    assert budget.has_time_for_typos()
    assert budget.has_time()
    assert not budget.cut
    assert not budget.typos_cut


def test_a_search_that_is_far_too_late_is_cut(clocks: Clocks) -> None:
    budget = clocks.budget(50)
    clocks.passed_ms += 501
    assert not budget.has_time_for_typos()
    assert not budget.has_time()


def test_what_was_cut_stays_cut(clocks: Clocks) -> None:
    budget = clocks.budget(50)
    clocks.passed_ms += 501
    assert not budget.has_time()
    clocks.passed_ms -= 501
    assert not budget.has_time()


def test_without_a_budget_a_search_takes_as_long_as_it_takes(clocks: Clocks) -> None:
    budget = clocks.budget(None)
    clocks.worked_ms += 1e9
    clocks.passed_ms += 1e9
    assert budget.has_time()
    assert budget.has_time_for_typos()

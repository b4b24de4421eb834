"""Tasks: who waits for one is told once, and who has given up is forgotten."""

from __future__ import annotations

from concurrent.futures import CancelledError

import pytest

from storagebox.search.writes.tasks import Tasks


def test_who_waits_is_told_when_it_is_there() -> None:
    tasks = Tasks(applied=5, last=5)
    assert tasks.when(5).done()
    six, seven, eight = tasks.when(6), tasks.when(7), tasks.when(8)
    tasks.advanced(7)
    assert (six.done(), seven.done(), eight.done()) == (True, True, False)
    tasks.close()
    with pytest.raises(CancelledError):
        eight.result()


def test_who_gave_up_is_forgotten() -> None:
    tasks = Tasks(applied=0, last=0)
    for _ in range(100):
        assert not tasks.wait(10**15, 0)
    given_up = tasks.when(1)
    given_up.cancel()
    assert not tasks._waiting  # pyright: ignore[reportPrivateUsage]
    tasks.advanced(1)


def test_the_backlog_is_what_is_acknowledged_and_not_applied() -> None:
    tasks = Tasks(applied=0, last=0)
    tasks.acknowledged(2, 100, ("a",))
    tasks.acknowledged(2, 100, ("a",))  # the same again
    tasks.acknowledged(3, 50, ("a", "b"))
    assert tasks.backlog()[:2] == (2, 150)
    assert tasks.pending() == {"a": 2, "b": 1}
    assert tasks.last == 3
    tasks.advanced(2)
    assert tasks.backlog()[:2] == (1, 50)
    assert tasks.backlog().bytes_per_s > 0
    tasks.advanced(4)
    tasks.acknowledged(4, 10, ("a",))  # applied before it was acknowledged
    assert tasks.backlog()[:2] == (0, 0)

"""A simulated server: workers that take tasks first in, first out, at the server's pace."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Protocol

from storagebox.balance.experiment.agenda import Agenda
from storagebox.balance.experiment.pace import STEADY, Pace
from storagebox.balance.outcome import LoadReport, Outcome


class Task(Protocol):
    """One attempt of a request at one server."""

    work_s: float
    given_up: bool
    """The client waits no longer: what hasn't begun is dropped."""

    def ended(self, outcome: Outcome, now: float, report: LoadReport | None) -> None:
        """The server has answered, or the connection broke."""
        ...


class Conduct(Enum):
    """What a server does with whoever comes."""

    SERVES = "serves"
    REFUSES = "refuses"
    """No process listens: connections are refused, and those that were open broke."""
    SILENT = "silent"
    """Takes everything and answers nothing: a stopped process, a network that drops all."""
    FAILS = "fails"
    """Answers each request at once, with an error."""


class Server:
    """`workers` tasks at a time, the others wait.

    Args:
        agenda: the simulated time.
        workers: how many tasks it does at once.
        pace: how fast.
    """

    def __init__(self, agenda: Agenda, workers: int, pace: Pace = STEADY) -> None:
        self.workers = workers
        self.pace = pace
        self.conduct = Conduct.SERVES
        self.assigned_s = 0.0
        """Work it was given, done or not."""
        self.requests = 0
        self._agenda = agenda
        self._waiting: deque[Task] = deque()
        self._working: set[Task] = set()
        self._free = workers

    @property
    def in_flight(self) -> int:
        """Requests it holds, waiting or at work."""
        return len(self._working) + len(self._waiting)

    def take(self, task: Task, now: float) -> None:
        """A request has come."""
        self.assigned_s += task.work_s
        self.requests += 1
        if self.conduct is Conduct.SERVES:
            if self._free:
                self._begin(task, now)
            else:
                self._waiting.append(task)
        elif self.conduct is Conduct.REFUSES:
            task.ended(Outcome.UNREACHABLE, now, None)
        elif self.conduct is Conduct.FAILS:
            task.ended(Outcome.FAILURE, now, None)

    def behave(self, conduct: Conduct, now: float) -> None:
        """From now on it does this with its requests; what it holds is lost, unless it serves on.

        Clients notice at once, except of a server that falls silent.
        """
        self.conduct = conduct
        if conduct is Conduct.SERVES:
            return
        held = [*self._working, *self._waiting]
        self._working.clear()
        self._waiting.clear()
        self._free = self.workers
        if conduct is not Conduct.SILENT:
            for task in held:
                task.ended(Outcome.FAILURE, now, None)

    def _begin(self, task: Task, now: float) -> None:
        self._free -= 1
        self._working.add(task)
        self._agenda.at(self.pace.finish_s(now, task.work_s), self._finish, task)

    def _finish(self, now: float, task: Task) -> None:
        if task not in self._working:
            return  # it was lost when the server died
        self._working.discard(task)
        self._free += 1
        while self._waiting:
            following = self._waiting.popleft()
            if not following.given_up:
                self._begin(following, now)
                break
        task.ended(Outcome.SUCCESS, now, None)

"""A simulated server: workers that take tasks first in, first out, at the server's pace."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Protocol

from storagebox.balance.experiment.agenda import Agenda
from storagebox.balance.experiment.pace import STEADY, Pace
from storagebox.balance.experiment.reports import Reporter
from storagebox.balance.outcome import LoadReport, Outcome


class Task(Protocol):
    """One attempt of a request at one server."""

    work_s: float
    given_up: bool
    """The client waits no longer: what hasn't begun is dropped."""
    came_s: float
    in_flight_then: int
    """Requests that the server held when it came."""

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
        speed: of its hardware; 1 does a second's work in a second of processor time.
        pace: the share of processor time that it gets, over time.
        reporter: what tells its load; `None`: it doesn't tell.
    """

    def __init__(
        self,
        agenda: Agenda,
        workers: int,
        speed: float = 1.0,
        pace: Pace = STEADY,
        reporter: Reporter | None = None,
    ) -> None:
        self.workers = workers
        self.speed = speed
        self.pace = pace
        self.conduct = Conduct.SERVES
        self.assigned_s = 0.0
        """Work it was given, done or not."""
        self._agenda = agenda
        self._reporter = reporter
        self._queue: deque[Task] = deque()
        self._waiting: set[Task] = set()  # those in the queue whose clients wait, too
        self._working: set[Task] = set()
        self._free = workers

    @property
    def in_flight(self) -> int:
        """Requests it holds, waiting or at work."""
        return len(self._working) + len(self._waiting)

    def capacity_s(self, from_s: float, until_s: float) -> float:
        """The work it can do meanwhile."""
        return self.workers * self.speed * self.pace.work_s(from_s, until_s)

    def take(self, task: Task, now: float) -> None:
        """A request has come."""
        self.assigned_s += task.work_s
        if self.conduct is Conduct.SERVES:
            task.came_s = now
            task.in_flight_then = self.in_flight
            if self._free:
                self._begin(task, now)
            else:
                self._queue.append(task)
                self._waiting.add(task)
        elif self.conduct is Conduct.REFUSES:
            task.ended(Outcome.UNREACHABLE, now, None)
        elif self.conduct is Conduct.FAILS:
            task.ended(Outcome.FAILURE, now, None)

    def probed(self, now: float) -> LoadReport | None:
        """What it answers to a probe; nothing if it doesn't serve, or stands still."""
        if self._reporter is None or self.conduct is not Conduct.SERVES or self.pace.stands(now):
            return None
        return self._reporter.report(self.in_flight)

    def abandon(self, task: Task) -> None:
        """Its client waits no longer. What is at work is finished; what waits is dropped."""
        task.given_up = True
        self._waiting.discard(task)  # it may not have come yet, or be done, its answer on the way

    def behave(self, conduct: Conduct, now: float) -> None:
        """From now on it does this with its requests; what it holds is lost, unless it serves on.

        Clients notice at once, except of a server that falls silent.
        """
        self.conduct = conduct
        if conduct is Conduct.SERVES:
            return
        held = [*self._working, *(task for task in self._queue if task in self._waiting)]
        self._working.clear()
        self._queue.clear()
        self._waiting.clear()
        self._free = self.workers
        if conduct is not Conduct.SILENT:
            for task in held:
                task.ended(Outcome.FAILURE, now, None)

    def _begin(self, task: Task, now: float) -> None:
        self._free -= 1
        self._working.add(task)
        self._agenda.at(self.pace.finish_s(now, task.work_s / self.speed), self._finish, task)

    def _finish(self, now: float, task: Task) -> None:
        if task not in self._working:
            return  # it was lost when the server died
        self._working.discard(task)
        self._free += 1
        while self._queue:
            following = self._queue.popleft()
            if following in self._waiting:
                self._waiting.remove(following)
                self._begin(following, now)
                break
        if self._reporter is None:
            task.ended(Outcome.SUCCESS, now, None)
        else:
            self._reporter.ended(task, task.work_s / self.speed, now)
            task.ended(Outcome.SUCCESS, now, self._reporter.report(self.in_flight))

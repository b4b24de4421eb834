"""Runs active checks: asks each server in its rhythm and tells what it finds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from storagebox.balance.endpoint import Endpoint, distinct
from storagebox.balance.health.checks import Finding, Progress, Result, Rhythm

AT_ONCE = 64
"""Checks under way at the same time; more wait. Thousands of servers mustn't take all sockets."""

Checker = Callable[[Endpoint], Awaitable[Result]]
"""Asks one server. `checkers` has HTTP, TCP and gRPC; it may raise `OSError`, and is cut off at
the rhythm's timeout."""

Tell = Callable[[str, Finding], None]
"""Takes an endpoint's id and what is found of it, each time that changes."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checks:
    """What to ask, and how often."""

    checker: Checker
    rhythm: Rhythm = field(default_factory=Rhythm)


class Checking:
    """The checks of one membership: a task for each server.

    To be used within one event loop: `update` with each membership, `close` at the end.
    """

    def __init__(self, checks: Checks, tell: Tell, random: Random | None = None) -> None:
        self._checks = checks
        self._tell = tell
        self._random = random or Random()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def update(self, endpoints: Iterable[Endpoint]) -> None:
        """These are to be checked now. One that has moved is checked as a new one."""
        wanted = {(each.id, each.address): each for each in distinct(endpoints)}
        for key in [key for key in self._tasks if key not in wanted]:
            self._tasks.pop(key).cancel()
        for key, endpoint in wanted.items():
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(self._watch(endpoint))

    async def close(self) -> None:
        """Check nobody any more."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, endpoint: Endpoint) -> None:
        rhythm = self._checks.rhythm
        progress = Progress()
        # All clients hear of a new server in the same instant.
        await asyncio.sleep(rhythm.fast_interval_s * self._random.random())
        while True:
            result = await self._ask(endpoint)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                return  # a checker's wait_for may lose a cancellation, before Python 3.12
            before = progress.finding
            progress = rhythm.after(progress, result)
            if progress.finding != before:
                self._tell(endpoint.id, progress.finding)
            await asyncio.sleep(rhythm.wait_s(progress, self._random))

    async def _ask(self, endpoint: Endpoint) -> Result:
        timeout_s = self._checks.rhythm.timeout_s
        async with self._slots:
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._checks.checker(endpoint)
            except TimeoutError:
                return Result(False, told=f"no answer within {timeout_s:g} s")
            except OSError as fault:
                return Result(False, told=str(fault) or type(fault).__name__)
            except Exception as fault:
                _log.exception("the check of %s raised", endpoint.address)
                return Result(False, told=f"the check raised {type(fault).__name__}")

"""Updates of a house: which boards, in which order, one at a time, and no further than a failure.

Boards in safe mode go first, since they play nothing anyway, then those where nothing plays now;
who is next is decided anew after each. So no two boards are ever without sound at once, and both
halves of a pair never. All of this is transient: a box that starts anew knows nothing of the job,
asked again it finds on the boards how far they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phantom.rpc import INVALID_PARAMS, REFUSED, RpcError

from .board import STARTED, BoardAway, BoardUpdate, Told, UpdateFailed
from .bundle import Bundle, BundleError, read
from .candidate import Candidate
from .job import CANCELLED, DONE, FAILED, PENDING, SKIPPED, Job, Row
from .verdict import fitting, verdict

# candidates(rooms) gives the boards of rooms by name, or for None all of the house.
# Raises RpcError.
Candidates = Callable[[Sequence[str] | None], list[Candidate]]
# one(board, bundle, force, told) updates one board. Raises UpdateFailed.
One = Callable[[Candidate, Bundle, bool, Told], Awaitable[None]]


@dataclass
class _Planned:
    board: Candidate
    bundle: Bundle
    row: Row


class HouseUpdates:
    """One job at a time."""

    def __init__(self, candidates: Candidates, one: One) -> None:
        self._candidates = candidates
        self._one = one
        self.job = Job()
        self._task: asyncio.Task[None] | None = None

    # Commands

    def boards(self, rooms: Sequence[str] | None = None) -> dict[str, Any]:
        """What boards of rooms are and run, and how far the job is, if there is one."""
        found = [
            {
                "device": board.id,
                "room": board.room,
                "board": board.board,
                "arch": board.arch,
                "version": board.version,
                "slot": board.slot,
                "connected": board.connected,
            }
            for board in self._candidates(rooms)
        ]
        return {"boards": found, "job": self.job.as_dict()}

    async def update(
        self, bundles: Any, rooms: Sequence[str] | None = None, force: Any = False
    ) -> dict[str, Any]:
        """Begin to update boards from bundles, files of this machine; returns the job.

        Raises RpcError.
        """
        if self.job.running:
            raise RpcError(
                REFUSED,
                "an update is under way: `phantom update --watch` shows it, --stop ends it",
            )
        if not isinstance(bundles, list) or not all(isinstance(b, str) for b in bundles):
            raise RpcError(INVALID_PARAMS, "bundles must be a list of paths")
        if not isinstance(force, bool):
            raise RpcError(INVALID_PARAMS, "force must be true or false")
        before, job = self.job, Job(running=True)
        self.job = job  # from here on, so that nobody begins another while files are read
        try:
            plan = self._plan(job, await _read(bundles), rooms, force)
        except BaseException:
            if self.job is job:
                self.job = before
            raise
        if self.job is not job:
            raise RpcError(REFUSED, "the update was cancelled")
        self._task = asyncio.ensure_future(self._run(job, plan, force))
        return job.as_dict()

    async def cancel(self) -> bool:
        """Begin no further board, and stop sending. True if there was a job."""
        if not self.job.running:
            return False
        if self._task is None:
            self.job = Job()  # `update` reads its bundles yet, and will see this
        else:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return True

    # The job

    def _plan(
        self, job: Job, bundles: Sequence[Bundle], rooms: Sequence[str] | None, force: bool
    ) -> list[_Planned]:
        plan: list[_Planned] = []
        for board in self._candidates(rooms):
            if rooms is None and board.connected and not board.slot:
                continue  # a renderer on a computer: it is none of "all boards"
            bundle = fitting(board, bundles)
            row = Row(board.id, board.room, board.version, bundle.version if bundle else "")
            row.state, row.reason = verdict(board, bundle, force)
            job.rows.append(row)
            if row.state == PENDING and bundle is not None:
                plan.append(_Planned(board, bundle, row))
        if not job.rows:
            raise RpcError(REFUSED, "there is no board to update")
        return plan

    async def _run(self, job: Job, plan: list[_Planned], force: bool) -> None:
        try:
            while plan:
                planned = plan.pop(_next(plan))
                await self._update(planned, force)
                if planned.row.state == FAILED:
                    break
        finally:
            job.end()
            self._task = None

    async def _update(self, planned: _Planned, force: bool) -> None:
        board, row = planned.board, planned.row

        def told(state: str, done: int, of: int) -> None:
            row.state, row.done, row.of = state, done, of

        try:
            await self._one(board, planned.bundle, force, told)
        except BoardAway as fault:
            row.state, row.reason = SKIPPED, fault.why
        except UpdateFailed as fault:
            row.state, row.reason, row.left = FAILED, fault.why, fault.left
        except asyncio.CancelledError:
            alone = f"on trial with {row.version}: it settles that by itself"
            row.left = alone if row.state in STARTED else f"runs {row.before} as before"
            row.state = CANCELLED
            raise
        except Exception as fault:
            row.state, row.reason, row.left = FAILED, f"a fault of the box: {fault!r}", "unknown"
        else:
            row.state, row.done, row.of = DONE, 0, 0


async def _read(paths: Sequence[str]) -> list[Bundle]:
    try:
        return [await asyncio.to_thread(read, Path(path)) for path in paths]
    except BundleError as fault:
        raise RpcError(INVALID_PARAMS, str(fault)) from None


def _next(plan: Sequence[_Planned]) -> int:
    """Whose turn it is. One that is away just now may be back by the time the others are done."""
    boards = [planned.board for planned in plan]
    ranks = [(not board.connected, not board.safe, not board.idle) for board in boards]
    return ranks.index(min(ranks))


def update_one(key: bytes, now_s: Callable[[], float]) -> One:
    """The `One` of a box whose installation has this key."""

    async def one(board: Candidate, bundle: Bundle, force: bool, told: Told) -> None:
        # A board in safe mode is to be repaired by whatever is sent.
        insist = force or board.safe
        await BoardUpdate(board, bundle, key, force=insist, told=told, now_s=now_s).run()

    return one

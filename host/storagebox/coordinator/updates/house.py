"""Updates of a house: which boards, in which order, one at a time, and no further than a failure.

Boards in safe mode go first, since they play nothing anyway, then those where nothing plays now;
who is next is decided anew after each. So no two boards are ever without sound at once, and both
halves of a pair never. All of this is transient: a box that starts anew knows nothing of the job,
asked again it finds on the boards how far they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from phantom import manifest
from phantom.rpc import INVALID_PARAMS, REFUSED, RpcError

from .board import BoardUpdate, Host, UpdateFailed
from .bundle import Bundle, BundleError, read

# How a board's row can end.
DONE, CURRENT, SKIPPED, FAILED, HELD = "done", "current", "skipped", "failed", "held"
PENDING = "pending"
OVER = (DONE, CURRENT, SKIPPED, FAILED, HELD)
FROZEN = "frozen"
FROZEN_REMEDY = "its code is in its image: flash it over its serial line, by `phantom flash`"


class Candidate(Host, Protocol):
    """A board that may be updated."""

    @property
    def id(self) -> str: ...
    @property
    def room(self) -> str: ...
    @property
    def board(self) -> str: ...
    @property
    def arch(self) -> str: ...
    @property
    def slot(self) -> str:
        """What it runs: "a", "b", "safe", "frozen"; empty if it is no board."""
        ...

    @property
    def why_away(self) -> str: ...


@dataclass
class Row:
    """How far one board is. state: one of OVER, PENDING, or what it does now."""

    device: str
    room: str
    before: str
    version: str
    state: str = PENDING
    done: int = 0
    of: int = 0
    reason: str = ""
    left: str = ""  # what a board that failed runs now


@dataclass
class Job:
    """One command's rows."""

    rows: list[Row] = field(default_factory=list[Row])
    running: bool = False
    force: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "running": self.running,
            "ok": not self.running and all(row.state in (DONE, CURRENT) for row in self.rows),
            "boards": [asdict(row) for row in self.rows],
        }


# one(board, bundle, force, told) updates one board. Raises UpdateFailed.
One = Callable[[Candidate, Bundle, bool, Callable[[str, int, int], None]], Any]


class HouseUpdates:
    """One job at a time. `candidates(rooms)` gives the boards of rooms, or all for None."""

    def __init__(
        self, candidates: Callable[[Sequence[str] | None], list[Candidate]], one: One
    ) -> None:
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
        self, bundles: Any, rooms: Sequence[str] | None = None, force: bool = False
    ) -> dict[str, Any]:
        """Begin to update boards from bundles, files of this machine; returns the job."""
        if self._task is not None and not self._task.done():
            raise RpcError(
                REFUSED,
                "an update is under way: `phantom update --watch` shows it, --stop ends it",
            )
        if not isinstance(bundles, list) or not all(isinstance(b, str) for b in bundles):
            raise RpcError(INVALID_PARAMS, "bundles must be a list of paths")
        try:
            found = [await asyncio.to_thread(read, Path(path)) for path in bundles]
        except BundleError as fault:
            raise RpcError(INVALID_PARAMS, str(fault)) from None
        boards = self._candidates(rooms)
        if not boards:
            raise RpcError(REFUSED, "there is no board to update")
        self.job = Job(running=True, force=force is True)
        plan: list[tuple[Candidate, Bundle, Row]] = []
        for board in boards:
            bundle = next((b for b in found if b.fits(board.board, board.arch)), None)
            version = bundle.version if bundle else ""
            row = Row(board.id, board.room, board.version, version)
            self.job.rows.append(row)
            row.state, row.reason = _verdict(board, bundle, self.job.force)
            if row.state == PENDING and bundle is not None:
                plan.append((board, bundle, row))
        self._task = asyncio.ensure_future(self._run(self.job, plan))
        return self.job.as_dict()

    async def cancel(self) -> bool:
        """Begin no further board, and stop sending. True if there was a job."""
        task = self._task
        if task is None or task.done():
            return False
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return True

    # The job

    async def _run(self, job: Job, plan: list[tuple[Candidate, Bundle, Row]]) -> None:
        try:
            while plan:
                board, bundle, row = plan.pop(_next(plan))
                if not await self._update(board, bundle, row, job.force):
                    break
        except asyncio.CancelledError:
            _hold(job, "cancelled")
            raise
        finally:
            failed = next((row for row in job.rows if row.state == FAILED), None)
            _hold(job, f"not begun: {failed.room or failed.device} failed" if failed else "")
            job.running = False

    async def _update(self, board: Candidate, bundle: Bundle, row: Row, force: bool) -> bool:
        def told(state: str, done: int, of: int) -> None:
            row.state, row.done, row.of = state, done, of

        try:
            if not board.connected:
                raise UpdateFailed(f"away: {board.why_away}", f"it had {row.before}")
            await self._one(board, bundle, force, told)
        except UpdateFailed as fault:
            row.state, row.reason, row.left = FAILED, fault.why, fault.left
            return False
        except Exception as fault:
            row.state, row.reason, row.left = FAILED, f"a fault of the box: {fault!r}", "unknown"
            return False
        row.state, row.done, row.of = DONE, 0, 0
        return True


def _next(plan: Sequence[tuple[Candidate, Bundle, Row]]) -> int:
    """Whose turn it is."""
    ranks = [(not board.safe, not board.idle) for board, _, _ in plan]
    return ranks.index(min(ranks))


def _hold(job: Job, reason: str) -> None:
    for row in job.rows:
        if row.state not in OVER:
            row.state, row.reason = HELD, reason


def _verdict(board: Candidate, bundle: Bundle | None, force: bool) -> tuple[str, str]:
    """The state in which a board's row begins, and why."""
    if not board.connected:
        return SKIPPED, f"away: {board.why_away}"
    if board.slot == FROZEN:
        return SKIPPED, FROZEN_REMEDY
    if not board.slot:
        return SKIPPED, "no board, or one from before updates: flash it, or update its package"
    if bundle is None:
        return SKIPPED, f"no bundle for {board.board}, {board.arch}"
    if board.update.get("state") in ("trial", "proven") and board.version == bundle.version:
        return PENDING, ""
    if force or board.safe:
        return PENDING, ""
    if board.version == bundle.version:
        return CURRENT, ""
    if bundle.version in board.failed:
        return SKIPPED, f"{bundle.version} has failed there before: insist on it by --force"
    if manifest.numbers(bundle.version) < manifest.numbers(board.version):
        return SKIPPED, f"it has {board.version}, which is newer: insist on it by --force"
    return PENDING, ""


def update_one(key: bytes, now_s: Callable[[], float]) -> One:
    """The `One` of a box whose installation has this key."""

    async def one(
        board: Candidate, bundle: Bundle, force: bool, told: Callable[[str, int, int], None]
    ) -> None:
        # A board in safe mode is to be repaired by whatever is sent.
        insist = force or board.safe
        await BoardUpdate(board, bundle, key, force=insist, told=told, now_s=now_s).run()

    return one

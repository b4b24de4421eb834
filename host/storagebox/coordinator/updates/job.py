"""What one command `update` has come to so far: a row for each board, for people and programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

PENDING = "pending"
# How a board's row can end.
DONE = "done"
CURRENT = "current"  # it had that version before
SKIPPED = "skipped"
FAILED = "failed"
HELD = "held"  # not begun, because the job has ended before
CANCELLED = "cancelled"  # amid its update
WELL = (DONE, CURRENT)
OVER = (*WELL, SKIPPED, FAILED, HELD, CANCELLED)


@dataclass
class Row:
    """How far one board is. state: one of OVER, PENDING, or what it does now."""

    device: str
    room: str
    before: str  # the version
    version: str  # the one that it is to have; empty if there is none for it
    state: str = PENDING
    done: int = 0  # of `of` bytes
    of: int = 0
    reason: str = ""
    left: str = ""  # what a board that failed, or was left alone, runs or does now

    @property
    def name(self) -> str:
        """What people know it by."""
        return self.room or self.device


@dataclass
class Job:
    """One command's rows."""

    rows: list[Row] = field(default_factory=list[Row])
    running: bool = False

    def end(self) -> None:
        """No board is begun any more."""
        failed = next((row for row in self.rows if row.state == FAILED), None)
        for row in self.rows:
            if row.state not in OVER:
                row.state = HELD
                row.reason = f"{failed.name} failed" if failed else "cancelled"
        self.running = False

    def as_dict(self) -> dict[str, Any]:
        """For programs. `ok`: it is over, and each board has the version that it was to have."""
        return {
            "running": self.running,
            "ok": not self.running and all(row.state in WELL for row in self.rows),
            "boards": [asdict(row) for row in self.rows],
        }

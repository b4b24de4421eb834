"""The panel beside the box: a process of its own (`storagebox.beside`)."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from storagebox.beside import RESTART_S, USELESS, Helper
from storagebox.beside import beside as run_beside
from storagebox.journal import Journal

__all__ = ["RESTART_S", "USELESS", "beside"]

MODULE = "storagebox.pins"


def beside(
    file: Path, control: Path, journal: Journal, *, restart_s: float = RESTART_S
) -> AbstractAsyncContextManager[None]:
    """Have buttons and lights work while the block lasts."""
    panel = Helper(MODULE, (str(file), str(control)), "pins", "buttons and lights")
    return run_beside(panel, journal, restart_s=restart_s)

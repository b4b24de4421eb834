"""The panel beside the box: a process of its own, so that no fault of it is the box's.

    async with beside(file, control_socket, journal):
        await box.finished()

One that crashes is started again, ever more seldom. One that can't use its pins says so, once, and
the box goes on without.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import phantom
import storagebox
from storagebox.journal import Journal

MODULE = "storagebox.pins"
# How it ends when trying again would not help.
USELESS = 2

RESTART_S = 1.0
MAX_RESTART_S = 60.0
# At the end of stdin it ends in some 10 ms; one that hangs is killed.
CLOSE_S = 1.0
_MAX_LINE_BYTES = 1 << 16


@asynccontextmanager
async def beside(
    file: Path, control: Path, journal: Journal, *, restart_s: float = RESTART_S
) -> AsyncGenerator[None, None]:
    """Have buttons and lights work while the block lasts."""
    attending = asyncio.ensure_future(_attend(file, control, journal, restart_s))
    try:
        yield
    finally:
        attending.cancel()
        await asyncio.gather(attending, return_exceptions=True)


async def _attend(file: Path, control: Path, journal: Journal, restart_s: float) -> None:
    loop = asyncio.get_running_loop()
    pause_s = restart_s
    while True:
        began_s = loop.time()
        try:
            status = await _once(file, control, journal)
        except OSError as fault:
            journal.emit("pins.off", reason=f"buttons and lights do not start: {fault.strerror}")
            return
        if status == USELESS:
            return  # it has said why
        if loop.time() - began_s > MAX_RESTART_S:
            pause_s = restart_s
        journal.emit("pins.ended", status=status, again_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, MAX_RESTART_S)


async def _once(file: Path, control: Path, journal: Journal) -> int:
    roots = [str(Path(p).parent) for each in (storagebox, phantom) for p in each.__path__]
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*roots, *([inherited] if inherited else [])])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # what lies in the current folder is not to be imported
        "-m",
        MODULE,
        str(file),
        str(control),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        limit=_MAX_LINE_BYTES,
    )
    try:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            _heard(line, journal)
        return await process.wait()
    finally:
        await _end(process)


def _heard(line: bytes, journal: Journal) -> None:
    with suppress(ValueError, KeyError, TypeError):
        told: dict[str, Any] = json.loads(line)
        event = told.pop("event")
        if event.startswith("pins."):
            journal.emit(event, **told)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None
    process.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await process.wait()
            return
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()

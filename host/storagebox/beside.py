"""Processes beside the box: no fault of theirs is the box's, and they never outlive it.

    async with beside(Helper("storagebox.pins", (file, socket), "pins"), journal):
        await box.finished()

One that crashes is started again, ever more seldom. One that ends with USELESS has said why, and
the box goes on without. It tells events on stdout, a JSON object a line, and ends when its stdin
does.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import phantom
import storagebox
from storagebox.journal import Journal

# How it ends when trying again would not help.
USELESS = 2

RESTART_S = 1.0
MAX_RESTART_S = 60.0
# At the end of stdin it ends in some 10 ms; one that hangs is killed.
CLOSE_S = 1.0
_MAX_LINE_BYTES = 1 << 16
# A process that reads nothing is told no more beyond this: the box's memory is not its to fill.
_MAX_UNREAD_BYTES = 1 << 20

Heard = Callable[[str, Mapping[str, Any]], bool]
"""Told an event and its fields; returns whether it is for the journal, too."""

Told = Callable[[str, Mapping[str, Any]], object]


@dataclass(frozen=True)
class Helper:
    """A module to run, its arguments, and the word before the dot of all its events."""

    module: str
    arguments: tuple[str, ...]
    prefix: str
    what: str  # for people: what does not work without it
    close_s: float = CLOSE_S


class Feed:
    """What a helper is told on its stdin, a JSON object a line.

    `everything()` is told to each process when it begins; `tell` what has changed since. One that
    has not read for long misses changes, and is told everything once it has caught up.
    """

    def __init__(self, everything: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        self._everything = everything
        self._writer: asyncio.StreamWriter | None = None
        self._missed = False

    def begin(self, writer: asyncio.StreamWriter | None) -> None:
        """There is a new process, or none."""
        self._writer, self._missed = writer, False
        if writer is not None:
            self._write(self._everything())

    def tell(self, value: Mapping[str, Any]) -> None:
        """Tell the process that runs now, if one does."""
        if self._writer is None:
            return
        if self._writer.transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
            self._missed = True
        elif self._missed:
            self._missed = False
            self._write(self._everything())
        else:
            self._write((value,))

    def _write(self, values: Iterable[Mapping[str, Any]]) -> None:
        assert self._writer is not None
        lines = (json.dumps(value) + "\n" for value in values)
        self._writer.write("".join(lines).encode())


@asynccontextmanager
async def beside(
    helper: Helper,
    journal: Journal,
    heard: Heard | None = None,
    *,
    feed: Feed | None = None,
    restart_s: float = RESTART_S,
) -> AsyncGenerator[None, None]:
    """Have it run while the block lasts; `heard` is told its events, before the journal is."""

    def told(event: str, fields: Mapping[str, Any]) -> None:
        if heard is None or heard(event, fields):
            journal.emit(event, **fields)

    attending = asyncio.ensure_future(_attend(helper, told, feed, restart_s))
    try:
        yield
    finally:
        attending.cancel()
        await asyncio.gather(attending, return_exceptions=True)


async def _attend(helper: Helper, told: Told, feed: Feed | None, restart_s: float) -> None:
    loop = asyncio.get_running_loop()
    pause_s = restart_s
    while True:
        began_s = loop.time()
        try:
            status = await _once(helper, told, feed)
        except OSError as fault:
            reason = f"{helper.what} do not start: {fault.strerror}"
            told(f"{helper.prefix}.off", {"reason": reason})
            return
        if status == USELESS:
            return  # it has said why
        if loop.time() - began_s > MAX_RESTART_S:
            pause_s = restart_s
        told(f"{helper.prefix}.ended", {"status": status, "again_s": pause_s})
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, MAX_RESTART_S)


async def _once(helper: Helper, told: Told, feed: Feed | None) -> int:
    roots = [str(Path(p).parent) for each in (storagebox, phantom) for p in each.__path__]
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*roots, *([inherited] if inherited else [])])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # what lies in the current folder is not to be imported
        "-m",
        helper.module,
        *helper.arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        limit=_MAX_LINE_BYTES,
    )
    try:
        assert process.stdout is not None
        if feed is not None:
            feed.begin(process.stdin)
        while line := await process.stdout.readline():
            _heard(line, helper.prefix, told)
        return await process.wait()
    finally:
        if feed is not None:
            feed.begin(None)
        await _end(process, helper.close_s)


def _heard(line: bytes, prefix: str, told: Told) -> None:
    with suppress(ValueError, KeyError, TypeError):
        fields: dict[str, Any] = json.loads(line)
        event = fields.pop("event")
        if event.startswith(f"{prefix}."):
            told(event, fields)


async def _end(process: asyncio.subprocess.Process, close_s: float) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None
    process.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(close_s):
            await process.wait()
            return
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()

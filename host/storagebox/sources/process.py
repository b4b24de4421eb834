"""The box's end of a source: starts its process, gives it orders, watches it, restarts it.

    source = SourceProcess()
    await source.start()                     # early: a warm source sounds within some 10 ms
    generation = await source.play(["/music/album"])
    count = source.ring.read_into(block)     # whenever frames are due
    async for event in source.events(): …    # Track, Skipped, Truncated, Ended, Failed

**What a crash costs.** The ring holds seconds of sound. When the process dies or hangs, it is
started anew and takes up the session at the frame after the last one in the ring, which is faster
than the ring runs dry. If it dies again on the same item before it has got any further, that item
is to blame and is skipped.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import phantom
import storagebox

from .events import Event, Failed, Skipped, from_message
from .progress import Place, Progress
from .ring import PcmRing
from .source import SourceError

_log = logging.getLogger(__name__)

LIBRARY = "storagebox.sources.library"

# How far a source decodes ahead (rounded up to 5.5 s, 1 MB): long enough to restart it on a slow
# machine, short enough that titles and errors are news.
RING_S = 4.0

# A source imports FFmpeg and numpy: 0.2 s on a PC, 5 s on a Raspberry Pi with a cold SD card.
START_S = 20.0

# A source answers when it has found the first file: disks that sleep take 10 s to spin up.
ACCEPT_S = 20.0

# For the same reason, this long without a frame, though there is room for it, is a hang.
STALL_S = 20.0

# After end of file on stdin a source ends in milliseconds; one that hangs is killed.
CLOSE_S = 1.0

# Between two restarts, so that a source that cannot even start doesn't eat the box.
RESTART_PAUSE_S = 0.5

_WATCH_S = 0.25  # how often a stall is looked for


class SourceProcess:
    """One source, as the box sees it. All methods belong to one event loop."""

    def __init__(
        self, module: str = LIBRARY, *, ring_s: float = RING_S, stall_s: float = STALL_S
    ) -> None:
        """`module` is the source's module, which must call `serving.run` when it is executed."""
        self.module = module
        self.ring = PcmRing.create(ring_s)
        self.restarts = 0
        """How often the process had to be started again."""
        self._stall_s = stall_s
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._process: asyncio.subprocess.Process | None = None
        self._ready: asyncio.Future[None] | None = None  # of the process that runs or starts
        self._session: Progress | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._last_words = ""

    @property
    def pid(self) -> int | None:
        """The process, if it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Starts the process and waits until it is warm. Raises SourceError if it doesn't come up.

        May be left out: the first `play` does it, and takes longer.
        """
        if self._supervisor is None or self._supervisor.done():
            self._ready = asyncio.get_running_loop().create_future()
            self._supervisor = asyncio.create_task(self._supervise())
        assert self._ready is not None
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), START_S)
        except TimeoutError:
            self._kill(f"was not ready within {START_S:g} s")
            raise SourceError(f"source {self.module} does not start: {self._words()}") from None

    async def play(
        self, items: Sequence[str], start_frame: int = 0, place: Place | None = None
    ) -> int:
        """Plays `items` from frame `start_frame` of their sound on, instead of whatever played.

        What comes before `place`, which `place_at` has told earlier, is not even opened. The ring
        holds nothing older from this call on. Returns the ring's generation once the source has
        found the first item. Raises SourceError, with a line for a person, if there is nothing to
        play.
        """
        self._forget()
        accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        session = Progress(list(items), self.ring.flush(), start_frame, accepted)
        if place is not None:
            session.item, session.item_frame = place.item, place.frame
        self._session = session
        if self._is_ready:
            self._order(session)
        else:
            await self.start()  # and the order follows as soon as it is ready
        try:
            await asyncio.wait_for(asyncio.shield(accepted), ACCEPT_S)
        except TimeoutError:
            self._forget()
            self._kill("did not answer")
            raise SourceError(
                f"source {self.module} found nothing within {ACCEPT_S:.0f} s: is the disk there?"
            ) from None
        return session.generation

    def place_at(self, frame: int) -> Place | None:
        """The item in which a frame of the session lies; None before anything has been opened."""
        return self._session.place_at(frame) if self._session else None

    async def stop(self) -> None:
        """Plays nothing any more: the ring is empty from this call on."""
        self._forget()
        self.ring.flush()
        self._send({"stop": True})

    async def close(self) -> None:
        """Ends the process and frees the ring; the iterators of events end."""
        self._forget()
        if self._ready is not None and not self._ready.done():
            self._ready.cancel()  # and whoever waits for it
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await supervisor
        self._events.put_nowait(None)
        self.ring.close()

    async def events(self) -> AsyncIterator[Event]:
        """What the source says about the session that plays, until `close`; for one consumer."""
        while True:
            event = await self._events.get()
            if event is None:
                self._events.put_nowait(None)
                return
            yield event

    # Orders

    @property
    def _is_ready(self) -> bool:
        ready = self._ready
        if ready is None or not ready.done() or ready.cancelled():
            return False
        return ready.exception() is None

    def _order(self, session: Progress) -> None:
        """Has the session played, from where it is: at its start, or after a crash."""
        self._send(session.order(self._next_frame(session)))

    def _send(self, order: dict[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None and self._is_ready:
            with suppress(ConnectionError):
                process.stdin.write(json.dumps(order).encode() + b"\n")

    def _next_frame(self, session: Progress) -> int:
        """The number of the session's first frame that has not been in the ring yet."""
        return session.start_frame + self.ring.available + self.ring.position

    def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None and not session.accepted.done():
            session.refuse("something else is to be played")
        while not self._events.empty():
            self._events.get_nowait()

    # The process's life

    async def _supervise(self) -> None:
        """Keeps a process running; ends when it doesn't even start."""
        while True:
            try:
                process = await self._spawn()
                status = await self._attend(process)
            except OSError as error:
                self._last_words = str(error)
                status = 1
            _log.warning("source %s ended (%s): %s", self.module, _status(status), self._words())
            if not self._is_ready:
                self._cannot_start()
                return
            self._ready = asyncio.get_running_loop().create_future()
            self._crashed(status)
            self.restarts += 1
            await asyncio.sleep(0 if self.restarts == 1 else RESTART_PAUSE_S)

    def _cannot_start(self) -> None:
        reason = f"source {self.module} does not start: {self._words()}"
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(SourceError(reason))
            self._ready.exception()  # whether or not anybody waits for it
        if self._session is not None:
            self._give_up(self._session, reason)

    async def _spawn(self) -> asyncio.subprocess.Process:
        roots = [str(Path(p).parent) for each in (storagebox, phantom) for p in each.__path__]
        inherited = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([*roots, *([inherited] if inherited else [])])
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # what lies in the current folder is not to be imported
            "-m",
            self.module,
            "--ring",
            str(self.ring.fd),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[self.ring.fd],
            env={**os.environ, "PYTHONPATH": path},
            limit=1 << 20,  # of a line: paths may be long, and every odd character counts six
        )

    async def _attend(self, process: asyncio.subprocess.Process) -> int:
        """Listens to the process until it ends, by itself or killed; returns its exit status."""
        self._process = process
        try:
            async with asyncio.TaskGroup() as tasks:
                complaints = tasks.create_task(self._hear_complaints(process))
                watch = tasks.create_task(self._watch_for_stall())
                await self._hear(process)
                watch.cancel()
                await asyncio.wait([complaints], timeout=CLOSE_S)
                complaints.cancel()
        finally:
            self._process = None
            status = await _end(process)
        return status

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
                if not line:
                    return
                self._heard(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                _log.warning("source %s says something senseless: %r", self.module, error)

    async def _hear_complaints(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while chunk := await process.stderr.read(4096):
            for line in chunk.decode(errors="replace").splitlines():
                _log.info("source %s: %s", self.module, line)
                self._last_words = line or self._last_words

    async def _watch_for_stall(self) -> None:
        loop = asyncio.get_running_loop()
        progress, since = None, loop.time()
        while True:
            await asyncio.sleep(_WATCH_S)
            session = self._session
            ready = self._is_ready
            frame = session and self._next_frame(session)
            now = (session and session.generation, frame, ready)
            idle = session is None or session.idle
            if idle or now != progress or self.ring.room < self.ring.capacity // 4:
                progress, since = now, loop.time()
            elif not ready:  # it was started anew
                if loop.time() - since > START_S:
                    self._kill(f"was not ready within {START_S:g} s")
            elif loop.time() - since > self._stall_s:
                self._kill(f"produced nothing for {self._stall_s:g} s")

    def _kill(self, reason: str) -> None:
        self._last_words = reason
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    def _crashed(self, status: int) -> None:
        """Decides how to go on after the process has ended, though nobody asked for it."""
        session = self._session
        if session is None or session.ended:
            return
        frames = self._next_frame(session)
        if not session.crashed(frames):
            return
        if not session.path:
            self._give_up(session, f"source {self.module} fails: {self._words()}")
            return
        reason = f"the decoder fails on it ({_status(status)})"
        self._events.put_nowait(Skipped(session.path, reason))
        session.skip(frames)

    def _give_up(self, session: Progress, reason: str) -> None:
        """Nothing more will come of a session, and no process is writing."""
        if not session.accepted.done():
            session.refuse(reason)
            self._session = None
            return
        session.ended = True
        self._events.put_nowait(Failed(reason))
        if self.ring.generation != session.generation:
            self.ring.begin(session.generation)
        self.ring.end()

    # What the process says

    def _heard(self, message: dict[str, Any]) -> None:
        kind = message["event"]
        if kind == "ready":
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
            if self._session is not None and not self._session.ended:
                self._order(self._session)
            return
        session = self._session
        if session is None or message["generation"] != session.generation:
            return
        if kind == "accepted":
            if not session.accepted.done():
                session.accepted.set_result(None)
        elif kind == "refused":
            self._give_up(session, str(message["reason"]))
        elif kind == "opening":
            session.opening(int(message["index"]), str(message["path"]), int(message["frame"]))
        else:
            event = from_message(message)
            if event is not None and session.is_news(event):
                self._events.put_nowait(event)

    def _words(self) -> str:
        return self._last_words or "it says nothing about it"


def _status(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


async def _end(process: asyncio.subprocess.Process) -> int:
    """Ends a process, gently if it lets us, and collects it; returns its exit status."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        return await asyncio.wait_for(process.wait(), CLOSE_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        return await process.wait()

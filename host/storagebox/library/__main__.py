"""The library's own process: `python -m storagebox.library MUSIC FOLDER SOCKET`.

FOLDER is the application's. Tells events on stdout, an object a line, and ends when stdin does, so
that it never outlives its box.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from storagebox.library.beside import APPLICATION
from storagebox.library.keeping import Keeping
from storagebox.library.pace import Pace
from storagebox.library.serving import Serving
from storagebox.library.shelf import Shelf
from storagebox.library.updating import Updating
from storagebox.search.writes.application import Application, Unavailable

# Whoever searches waits for an answer, so this yields to music only; reading yields to both.
_NICE = 5
_READING_NICE = 19
# Beside the thread that reads, one that answers waits for its turn this long at most.
_SWITCH_S = 0.001


def _tell(event: str, /, **fields: Any) -> None:
    with suppress(BrokenPipeError):  # the box is gone: so is this, in a moment
        print(json.dumps({"event": event, **fields}), flush=True)


def _report(event: str, /, **fields: Any) -> None:
    _tell(f"library.{event}", **fields)


async def _serve(application: Application, music: Path, path: Path) -> None:
    try:
        serving = Serving(application, path, _report)
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise Unavailable(f"{path}: {reason}: the library is searched by this socket") from fault
    stop = threading.Event()
    loop = asyncio.get_running_loop()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin)
            stop.set()
            serving.end()

    loop.add_reader(sys.stdin, heard)
    failed: list[BaseException] = []

    def read() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _READING_NICE)
        try:
            shelf = Shelf(application)
            shelf.prepare()
            _tell("library.ready", **shelf.counts())
            _tell("library.key", key=shelf.search_key(int(time.time() * 1000)))
            updating = Updating(shelf, music, Pace(stop.wait), stop.is_set)
            Keeping(shelf, updating, stop.wait, _tell).run()
        except BaseException as fault:
            failed.append(fault)
        finally:
            loop.call_soon_threadsafe(serving.end)

    reading = threading.Thread(target=read, name="library")
    reading.start()
    try:
        await serving.run()
    finally:
        stop.set()
        await asyncio.to_thread(reading.join)
    if failed:
        raise failed[0]


def main(arguments: list[str]) -> int:
    """Run until stdin ends; returns the exit status."""
    music, folder, path = map(Path, arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the box's, which then ends this
    os.umask(0o077)
    os.nice(_NICE)
    sys.setswitchinterval(_SWITCH_S)
    try:
        with closing(Application.open(folder, APPLICATION, report=_report)) as application:
            asyncio.run(_serve(application, music, path))
    except Unavailable as fault:
        # Such as one whose box was killed, and that is about to end.
        _tell("library.waits", reason=str(fault))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

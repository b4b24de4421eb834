"""All tenants of a server: a folder, in which each application has one of its own.

An application is opened when somebody first asks for it, and closed when nobody has for a while.
One that can't be opened is nobody else's trouble.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.application import Application, Unavailable
from storagebox.search.writes.catalog import kept_in
from storagebox.search.writes.indices import Report
from storagebox.search.writes.log import LoopThread

# It is a folder's name, on any file system, and a part of host names.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


class Applications:
    """The applications below `folder`. Any thread may call."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        report: Report | None = None,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._limits = limits
        self._report = report
        self._thread = LoopThread()
        self._lock = threading.Lock()
        self._opening: dict[str, threading.Lock] = {}
        self._open: dict[str, Application] = {}
        self._used_s: dict[str, float] = {}
        self._closed = False

    def ids(self) -> list[str]:
        """All that there are, by name."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if self._exists(path.name))

    def get(self, app_id: str) -> Application | None:
        """An application, opened if it isn't yet; None if there is none. Raises Unavailable."""
        with self._lock:
            self._used_s[app_id] = time.monotonic()
            if (app := self._open.get(app_id)) is not None:
                return app
        return self._opened(app_id, None) if self._exists(app_id) else None

    def create(self, app_id: str, admin_key: str | None = None) -> Application:
        """An application, made if there is none; `admin_key` becomes its admin key, if given.

        Raises ValueError for an id that none can have, or Unavailable.
        """
        if not _ID.fullmatch(app_id):
            raise ValueError(
                f"search: {app_id!r} is no application id: 1 to 63 letters, digits, - and _"
            )
        return self._opened(app_id, admin_key)

    def close_idle(self, idle_s: float) -> list[str]:
        """Close those that nobody has asked for so long; returns their ids."""
        now_s = time.monotonic()
        with self._lock:
            idle = [
                app_id
                for app_id, app in self._open.items()
                if now_s - self._used_s[app_id] >= idle_s and app.applied >= app.last
            ]
            apps = [self._open.pop(app_id) for app_id in idle]
        for app in apps:
            app.close()
        return idle

    def close(self) -> None:
        """Close all."""
        with self._lock:
            self._closed = True
            apps = list(self._open.values())
            self._open.clear()
        for app in apps:
            app.close()
        self._thread.close()

    def _exists(self, app_id: str) -> bool:
        return bool(_ID.fullmatch(app_id)) and kept_in(self.folder / app_id)

    def _opened(self, app_id: str, admin_key: str | None) -> Application:
        with self._lock:
            self._used_s[app_id] = time.monotonic()
            opening = self._opening.setdefault(app_id, threading.Lock())
        with opening:  # of one application; the others go on
            with self._lock:
                if self._closed:
                    raise Unavailable(f"{self.folder}: the applications are closed")
                if (app := self._open.get(app_id)) is not None:
                    return app
            app = Application.open(
                self.folder / app_id,
                app_id,
                clock=self._clock,
                limits=self._limits,
                report=self._report,
                thread=self._thread,
                admin_key=admin_key,
            )
            with self._lock:
                self._open[app_id] = app
        return app

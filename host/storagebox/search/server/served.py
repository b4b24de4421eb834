"""Which applications are served out of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from storagebox.search.writes.application import Application, Unavailable
from storagebox.search.writes.applications import Applications
from storagebox.search.writes.indices import Report

DEFAULT_NAME: Final = "phantom"
# One that nobody asks is closed after that, where there are many.
_IDLE_S: Final = 3600.0


class CannotServe(Exception):
    """Why nothing is served; the message names the thing, the fault and the remedy."""


class Served:
    """The applications of a folder that are served: those named, or else all there are."""

    def __init__(self, folder: Path, names: Sequence[str], report: Report) -> None:
        self._all = Applications(folder, report=report)
        self._names = frozenset(names)
        self.made: dict[str, str] = {}  # new ones' admin keys, to be told once

    @property
    def names(self) -> list[str]:
        """Of all that are served."""
        return sorted(self._names) or self._all.ids()

    def get(self, app_id: str) -> Application | None:
        """An application, opened if it isn't yet; None if there is no such. Raises Unavailable."""
        if self._names and app_id not in self._names:
            return None
        return self._all.get(app_id)

    def open(self, admin_key: str | None) -> None:
        """Open those named, each made if there is none. Raises CannotServe."""
        known = set(self._all.ids())
        try:
            for name in sorted(self._names):
                application = self._all.create(name, admin_key)
                if name not in known and admin_key is None:
                    self.made[name] = application.admin_key
        except (Unavailable, ValueError) as fault:
            self.close()
            raise CannotServe(str(fault)) from None

    def close_idle(self) -> list[str]:
        """Close those that nobody has asked for long, unless they were named; their ids."""
        return [] if self._names else self._all.close_idle(_IDLE_S)

    def close(self) -> None:
        """Close them all."""
        self._all.close()


def serve_from(
    folder: Path, names: Sequence[str], admin_key: str | None, report: Report
) -> Served:
    """The applications `names`, each made if there is none; without names, all in `folder`.

    `admin_key` is that of the only one. In a folder without any, one is made, DEFAULT_NAME. Raises
    CannotServe.
    """
    if admin_key is not None and len(names) != 1:
        raise CannotServe("an admin key is one application's: name that by --app, and no other")
    served = Served(folder, names, report)
    if not served.names:
        served.close()
        served = Served(folder, [DEFAULT_NAME], report)
    served.open(admin_key)
    return served

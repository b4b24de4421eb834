"""The box's end of the library: its process, and what is known of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

from storagebox.beside import RESTART_S, Helper
from storagebox.beside import beside as run_beside
from storagebox.journal import Journal

__all__ = ["APPLICATION", "SOCKET", "Library"]

MODULE: Final = "storagebox.library"
APPLICATION: Final = "library"
SOCKET: Final = "library.sock"  # in the state folder, as is FOLDER; see _socket_path
FOLDER: Final = "library"
# A commit under way may be at the disk for a while.
_CLOSE_S: Final = 5.0
_COUNTS: Final = ("tracks", "albums", "artists")
_MAX_SOCKET_BYTES: Final = 107  # unix(7): sun_path, and its end


class Library:
    """The library of a folder; `beside` keeps it running, `where` tells how to search it."""

    def __init__(self, music: Path, state: Path, control: Path) -> None:
        """`state` is the box's folder, `control` the path of its control socket."""
        self.music = music.absolute()
        self._socket = _socket_path(state.absolute(), control.absolute())
        self._folder = state.absolute() / FOLDER
        self._key = ""
        self._counts: dict[str, int] = {}
        self._complete = False
        self._trouble = "it is starting: try again in a moment"
        self._said_why = False  # why its process is about to end

    def beside(
        self, journal: Journal, *, restart_s: float = RESTART_S
    ) -> AbstractAsyncContextManager[None]:
        """Keep the library while the block lasts."""
        arguments = (str(self.music), str(self._folder), str(self._socket))
        helper = Helper(MODULE, arguments, "library", "searches", _CLOSE_S)
        return run_beside(helper, journal, self._heard, restart_s=restart_s)

    def where(self) -> dict[str, Any]:
        """Where it is searched, by which key; what is in it, and what is wrong, if anything.

        `complete` once all of the folder has been read since the box began.
        """
        return {
            "music": str(self.music),
            "socket": str(self._socket),
            "application": APPLICATION,
            "key": self._key,
            **self._counts,
            "complete": self._complete,
            "trouble": self._trouble,
        }

    def _heard(self, event: str, fields: Mapping[str, Any]) -> bool:
        match event:
            case "library.key":
                self._key, self._trouble = fields["key"], ""
                return False  # it is a secret
            case "library.read":
                self._complete, self._trouble = True, ""
            case "library.waits" | "library.off":
                self._trouble = fields["reason"]
            case "library.ended":
                self._key = ""
                if not self._said_why:
                    self._trouble = "its process ended: it starts again in a moment"
            case _:
                pass
        self._said_why = event == "library.waits"
        self._counts.update({name: fields[name] for name in _COUNTS if name in fields})
        return True


def _socket_path(state: Path, control: Path) -> Path:
    """Where the library is searched: in the box's folder, or beside its control socket.

    The folder may lie too deep for a socket's path; the control socket's then is short for that.
    """
    inside = state / SOCKET
    if len(os.fsencode(inside)) <= _MAX_SOCKET_BYTES:
        return inside
    return control.with_name(f"{control.name}.library")

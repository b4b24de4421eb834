"""What lies in flash besides what a board needs, for whoever makes room over the network.

    storage.list {folder?, after?}  {"files": {name: bytes}, "next", "free"}: folders end with "/"
    storage.remove {path}           {"free"}: a file, or an empty folder

Code, its loaders and what the owner decided can't be removed.
"""

import os

from .rpc import INVALID_PARAMS, REFUSED, RpcError
from .wire import const, discovery

# Less than this is full: a save needs some blocks besides the file's own.
LOW_BYTES = const(32768)
_FULL = "less than 32 KB of flash are free: storage.list shows of what, storage.remove makes room"
_PAGE = const(32)
_FOLDER = const(0x4000)
_OURS = ("/boot.py", "/main.py", "/loader", "/slot", "/board.json", "/device.json")
_OURS_TOO = ("/installation.json", "/boots.json", "/topology")


def free(folder="/"):
    """Bytes of flash that are free at least; 0 if that can't be told."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    # littlefs counts some blocks twice; past the last, MicroPython makes a huge number of it.
    return found[0] * found[3] if found[3] <= found[2] else 0


class Storage:
    """A service of a device, whose Upkeep hears of a full flash. playing(): flash must wait."""

    def __init__(self, upkeep, playing=None):
        self._upkeep = upkeep
        self._playing = playing
        self._looked = False

    def serve(self, connection):
        """Let a peer look, and make room."""
        connection.rpc.register("storage.list", self._list)
        connection.rpc.register("storage.remove", self._remove)

    def lost(self, connection):
        """Nothing to forget."""

    def chore(self, now_ms):
        """See once whether there is room."""
        if not self._looked and not (self._playing is not None and self._playing()):
            self._look()

    def _look(self):
        self._looked = True
        left = free()
        if left >= LOW_BYTES:
            self._upkeep.mended(_FULL)
        elif _FULL not in self._upkeep.faults:
            print("storage:", _FULL)
            self._upkeep.fault(_FULL, discovery.FLASH_FULL)
        return left

    def _list(self, folder="/", after=""):
        if not isinstance(folder, str) or not isinstance(after, str):
            raise RpcError(INVALID_PARAMS, "folder and after are texts")
        files = {}
        try:
            for entry in os.ilistdir(folder):
                is_folder = entry[1] == _FOLDER
                # Not every file system says how large a file is.
                files[entry[0] + ("/" if is_folder else "")] = sum(entry[3:])
        except OSError as error:
            raise RpcError(INVALID_PARAMS, "no folder %s: %s" % (folder, error))
        names = sorted([name for name in files if name > after])
        page = {name: files[name] for name in names[:_PAGE]}
        more = names[_PAGE - 1] if len(names) > _PAGE else None
        return {"files": page, "next": more, "free": free()}

    def _remove(self, path):
        path = tidy(path)
        if self._playing is not None and self._playing():
            raise RpcError(REFUSED, "it plays: flash waits until it is silent")
        if is_ours(path):
            raise RpcError(REFUSED, "%s belongs to Phantom" % path)
        try:
            os.remove(path)
        except OSError as error:
            try:
                os.rmdir(path)
            except OSError:
                raise RpcError(INVALID_PARAMS, "%s can't be removed: %s" % (path, error))
        return {"free": self._look()}


def tidy(path):
    """An absolute path without detours. Raises RpcError for what is none."""
    if not isinstance(path, str):
        raise RpcError(INVALID_PARAMS, "path is text")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise RpcError(INVALID_PARAMS, "path names a file, without ..")
    return "/" + "/".join(parts)


def is_ours(path):
    """Whether a board needs it."""
    top = path.split("/")[1]
    if top in ("a", "b", "safe"):
        return True
    return any(path.startswith(name) for name in _OURS + _OURS_TOO)

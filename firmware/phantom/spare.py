"""What a board can't be found or repaired without, once more: in NVS, where no file is.

It holds the board's facts, what its owner decided (Wi-Fi, id, name) and its installation, as they
were when they were last whole. Files count for more than it; it is looked at only for what is lost
in all its copies.
"""

import json

from . import config
from .ticks import ticks_diff
from .wire import const

# NVS takes no longer blob.
MAX_BYTES = const(4000)
_INSTALLATION = "/installation.json"
_KEPT = (("board", config.BOARD), ("device", config.DEVICE), ("installation", _INSTALLATION))
# Long enough after a start or a change for whatever else is to be written.
_QUIET_MS = const(3000)


class Spare:
    """The copy, and a service of a device that keeps it right.

    recall() gives the bytes kept last or None, keep(bytes) keeps others, raising OSError.
    playing() tells whether flash must wait; until it is set, it must. `device_lost` is set by
    whoever finds that the owner's decisions are in no file.
    """

    def __init__(self, recall, keep, folder=""):
        self._recall = recall
        self._keep = keep
        self._folder = folder
        self._due_ms = None
        self._asked = True
        self.playing = None
        self.device_lost = False

    def of(self, name):
        """What it holds of "board", "device" or "installation"; None without."""
        found = _read(self._recall).get(name)
        return found if isinstance(found, dict) else None

    def installation(self, missing):
        """The installation, or None. One whose file is `missing`, not damaged, is believed only
        if the device's other decisions are gone as well: otherwise a flasher made a new device.
        """
        if missing and not self.device_lost:
            return None
        return self.of("installation")

    def changed(self):
        """What is in files is not what it was."""
        self._asked = True

    def serve(self, connection):
        """Nothing to register."""

    def lost(self, connection):
        """Nothing to forget."""

    def chore(self, now_ms):
        """Keep what is new, when it is quiet."""
        if self._asked:
            self._asked = False
            self._due_ms = now_ms
        if self._due_ms is None or ticks_diff(now_ms, self._due_ms) < _QUIET_MS:
            return
        if self.playing is None or self.playing():
            self._due_ms = now_ms
            return
        self._due_ms = None
        self.refresh()

    def refresh(self):
        """Keep what files hold now, unless it is kept already. A fault is told, and no more."""
        kept = _read(self._recall)
        for name, path in _KEPT:
            try:
                kept[name] = config.load(self._folder + path, _silent)
            except config.Missing:
                if name == "installation":
                    kept[name] = {}
            except config.ConfigError:
                pass  # the copy is all there is
        self._write(kept)

    def forget(self):
        """Hold no installation any more: its key must not outlive leaving it."""
        kept = _read(self._recall)
        if kept:
            kept["installation"] = {}
            self._write(kept)

    def _write(self, kept):
        try:
            octets = json.dumps(kept).encode()
            if len(octets) > MAX_BYTES:
                raise OSError("%d bytes are over %d" % (len(octets), MAX_BYTES))
            if kept != _read(self._recall):
                self._keep(octets)
        except (OSError, MemoryError) as error:
            print("spare: can't keep a copy in NVS:", error)


def _read(recall):
    try:
        kept = json.loads(recall() or b"{}")
    except (OSError, ValueError, MemoryError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _silent(text):
    del text

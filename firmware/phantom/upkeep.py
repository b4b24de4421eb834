"""That a device goes on and says what is wrong with it: faults, watchdog, restarts, last crash.

    device.restart {safe?}     anew; with `safe` once in safe mode
    device.log {}              {"text": the end of the traceback that ended the life before}

The loader counts lives that end before they are steady (docs/update.md). One is steady once it has
lasted a minute, or a peer has had it restarted; a trial, once it is confirmed.
"""

import sys
from time import ticks_diff, ticks_ms

from .wire import const, discovery

# A fault that only shows with use has shown by then, and a person who tries again has not.
STEADY_MS = const(60000)
_MEND_MS = const(5000)  # whatever a start has to do has been done


class Upkeep:
    """A service of a device: serve, lost, chore. `boot` is the loader's State, None on a PC."""

    def __init__(self, boot=None):
        self.boot = boot
        self.faults = []
        self._kinds = []  # of each fault, one of wire.discovery's REASONS
        self.reason = ""  # the gravest
        self._registrar = None
        self._properties = None
        self._restart = _nothing
        self._feed = None
        self._turned = False
        self._began_ms = None
        self._playing = None  # tells whether flash must wait, while there is mending to do
        self._mending = None
        if boot is not None:
            if boot.reason:
                self._count(boot.reason)
            for text in boot.faults:
                self.fault(text, boot.reason or discovery.DAMAGED_SPARE)

    def fault(self, text, reason):
        """Something is wrong: a text for people, and which of REASONS it is."""
        if text in self.faults:
            return
        self.faults.append(text)
        self._kinds.append(reason)
        self._count(reason)
        if self._registrar is not None:
            self._tell()

    def look_at(self, membership):
        """Something is wrong with its files, or with a flash that keeps nothing any more."""
        if membership.fault:
            kind = discovery.FLASH_FULL if membership.full else discovery.DAMAGED_CONFIG
            self.fault(membership.fault, kind)

    def mended(self, text):
        """What was a fault is none any more."""
        if text not in self.faults:
            return
        at = self.faults.index(text)
        del self.faults[at], self._kinds[at]
        self.reason = ""
        for reason in self._kinds:
            self._count(reason)
        if self.boot is not None and self.boot.reason:
            self._count(self.boot.reason)
        if self._registrar is not None:
            self._tell()

    def _count(self, reason):
        order = discovery.REASONS.index
        if not self.reason or order(reason) < order(self.reason):
            self.reason = reason

    def begin(self, registrar, properties, restart):
        """Tell of faults from now on. `restart()` says goodbye and starts the chip anew."""
        self._registrar = registrar
        self._properties = properties
        self._restart = restart
        properties.declare("device.faults", list(self.faults))
        self._tell()

    def _tell(self):
        self._properties.set("device.faults", list(self.faults))
        self._registrar.set_fault(self.reason, ticks_ms())

    def mend(self, playing):
        """Look after what would save the board, once it is quiet, if its code is in files."""
        if self.boot is not None and self.boot.slot in ("a", "b"):
            self._playing = playing

    # The watchdog

    def watch(self):
        """From now on the chip starts anew if the loop or the chores stop turning."""
        if self.boot is not None:
            self._feed = self.boot.watch()

    def poll(self):
        """In the loop."""
        if self._turned and self._feed is not None:
            self._turned = False
            self._feed()

    # As a service

    def serve(self, connection):
        """Let a peer ask, and restart."""
        connection.rpc.register("device.restart", self.restart)
        connection.rpc.register("device.log", self._log)

    def lost(self, connection):
        """Nothing to forget."""

    def chore(self, now_ms):
        """Chores turn; after a while this life counts as one that came up."""
        self._turned = True
        if self._began_ms is None:
            self._began_ms = now_ms
        elif self._playing is not None and ticks_diff(now_ms, self._began_ms) >= _MEND_MS:
            self._mend()
        elif ticks_diff(now_ms, self._began_ms) >= STEADY_MS:
            self._began_ms = now_ms
            if self.boot is not None and not self.boot.trial:
                self.boot.steady()

    def _mend(self):
        if self._mending is None:
            # Some 5 KB that nobody needs afterwards.
            from .mending import Mending

            self._mending = Mending("/" + self.boot.slot, self.fault)
        if self._playing() or self._mending.step():  # pyright: ignore[reportOptionalCall]
            return
        self._playing = self._mending = None
        sys.modules.pop("phantom.mending", None)
        if hasattr(sys.modules["phantom"], "mending"):
            delattr(sys.modules["phantom"], "mending")

    def restart(self, safe=False):
        """Start anew, as a peer wants it; `safe`: once into safe mode."""
        if self.boot is not None:
            if safe:
                self.boot.ask_for_safe_mode()
            elif not self.boot.trial:
                self.boot.try_again()
        self._restart()

    def _log(self):
        return {"text": self.boot.record["text"] if self.boot is not None else ""}


def _nothing():
    pass

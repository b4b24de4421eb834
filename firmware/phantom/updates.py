"""Updates of this board's code, as long as there is none: `update` is loaded when one begins.

    update.begin {}          {"nonce", "version", "board", "arch", "slot", "failed"}
    an upload "manifest"     signed, with that nonce (phantom.manifest): checked before all else
    update.wanted {}         {"files": [numbers], "bytes"}: those of the manifest's not here yet
    an upload "update"       the bytes of these files, in that order
    update.apply {}          once ready and while nothing plays: starts the new code, on trial
    update.reject {reason}   while on trial: back to the code before
    update.cancel {}         forget what has come

The property update.state is {"state", "version", "done", "of", "reason"}:

    idle
    receiving    `done` of `of` bytes are written or held
    waiting      flash waits for the music to pause; so does what has still to come
    writing      all has come; `done` of `of` bytes are in flash
    ready        in flash, whole: to be applied
    trial        this is the new code, and has yet to play in time
    proven       it has; that is written down once nothing plays
    confirmed    written
    rolled-back  the new code did not come up, never played, or was rejected
    failed       it was never started
"""

import gc
import sys
from time import ticks_diff, ticks_ms

from . import VERSION, config
from .rpc import INVALID_PARAMS, REFUSED, RpcError
from .wire import const

SELECTOR = "/slot"
FROZEN = "frozen"
ASKED = "asked"  # why it is in safe mode, though nothing is wrong
FROZEN_REMEDY = (
    "this board's code is in its image: flash it over its serial line, by `phantom flash`"
)
# In time: no gap, and an error that nobody hears, for so long.
PROOF_MS = const(2000)
PROOF_US = const(1000)
# Without a proof the board starts anew, and after three such starts goes back. A box that is there
# lets it prove itself within seconds of its start.
TRIAL_MS = const(180000)
# For the answer to be on its way before the board restarts.
_LINGER_MS = const(200)
# Flash is written for no longer at a stretch, but for the step that is begun.
_WRITE_MS = const(30)
_FAILED_KEPT = const(8)
_NONCE_BYTES = const(16)
_REASON_CHARS = const(160)
# As mpy-cross calls them, by the number in sys.implementation._mpy (py/persistentcode.h).
_ARCHS = ("bytecode", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp") + (
    "armv7emdp",
    "xtensa",
    "xtensawin",
    "rv32imc",
)


def own_arch():
    """What native code this interpreter runs, as mpy-cross calls it."""
    number = getattr(sys.implementation, "_mpy", 0) >> 10 & 15
    return _ARCHS[number] if number < len(_ARCHS) else _ARCHS[0]


class Updates:
    """A service of a device.

    boot: the loader's State. playing() tells whether flash must wait. fare() gives (whether a
    stream sounds, underruns so far, error in us); safe mode, which is never on trial, has none.
    restart() says goodbye and starts anew.
    """

    def __init__(
        self, boot, board, membership, properties, playing, fare, random_bytes, restart, root=""
    ):
        self._boot = boot
        self._board = board
        self._membership = membership
        self._fare = fare
        self._playing = playing
        self._properties = properties
        self._random = random_bytes
        self._restart = restart
        self._root = root
        selector = boot.selector or {"active": "a", "failed": []}
        self._active = selector["active"]  # which it goes back to
        self._failed = list(selector["failed"])
        self._chosen = boot.selector is not None  # whether flash tells the loader what to run
        self._nonce = None
        self._update = None
        self._left = None  # one given up, to be closed while nothing plays
        self._uploads = None
        self._ready = None  # the version in the other slot, to be applied
        self._restart_ms = None  # since when a restart is due
        self._began_ms = None
        self._well_ms = None  # since when it plays in time
        self._underruns = 0
        self._told = ("idle", "", 0, 0, "")
        properties.declare("update.state", _as_value(self._told))
        properties.declare("update.slot", FROZEN if boot.frozen else boot.slot, constant=True)
        properties.declare("update.arch", own_arch(), constant=True)
        properties.declare("update.failed", list(self._failed))
        if boot.trial:
            self._tell("trial", VERSION)

    @property
    def _target(self):
        # The slot that is not run; in safe mode the one that was not to be run.
        running = self._boot.slot if self._boot.slot in ("a", "b") else self._active
        return "b" if running == "a" else "a"

    # Service

    def receive(self, uploads):
        """Take the two kinds of uploads."""
        self._uploads = uploads
        uploads.receiver("manifest", self._take_manifest)
        uploads.receiver("update", self._take_files)

    def serve(self, connection):
        """Offer a peer to update this board."""
        rpc = connection.rpc
        rpc.register("update.begin", self._begin)
        rpc.register("update.wanted", self._wanted)
        rpc.register("update.apply", self._apply)
        rpc.register("update.reject", self._reject)
        rpc.register("update.cancel", self._cancel)

    def lost(self, connection):
        """Its upload is aborted by whoever runs it."""

    def chore(self, now_ms):
        """Write what has come, if it is silent; see how a trial fares; restart if that is due."""
        began_ms = self._began_ms
        if began_ms is None:
            began_ms = self._began_ms = now_ms
        if self._restart_ms is not None:
            if self._restart_ms < 0:
                self._restart_ms = now_ms
            elif ticks_diff(now_ms, self._restart_ms) >= _LINGER_MS:
                self._restart()
            return
        if self._boot.given_up is not None and self._boot.reason != ASKED and not self._playing():
            self._settle()
        if self._boot.trial:
            self._prove(now_ms, began_ms)
        if self._left is not None and not self._playing():
            self._left.close()
            self._left = None
        if self._update is not None:
            self._go_on()

    # Calls

    def _begin(self):
        if self._boot.frozen:
            raise RpcError(REFUSED, FROZEN_REMEDY)
        if self._boot.trial:
            raise RpcError(REFUSED, "the update before this has yet to prove itself")
        if self._uploads.busy:
            raise RpcError(REFUSED, "another upload is under way: try again when it has ended")
        self._drop()
        self._ready = None
        self._nonce = "".join(["%02x" % octet for octet in self._random(_NONCE_BYTES)])
        self._tell("idle")
        return {
            "nonce": self._nonce,
            "version": VERSION,
            "board": self._board,
            "arch": own_arch(),
            "slot": self._boot.slot,
            "failed": list(self._failed),
        }

    def _wanted(self):
        update = self._there()
        return {"files": list(update.wanted), "bytes": update.coming}

    def _apply(self):
        if self._ready is None:
            raise RpcError(REFUSED, "no update is ready here: send one first")
        if self._playing():
            raise RpcError(REFUSED, "it plays: wait for the music to pause")
        target = self._target
        if self._ready in self._failed:
            self._failed.remove(self._ready)
        self._save(self._active_now(), target)
        self._boot.forgive(target)
        self._restart_ms = -1
        return True

    def _reject(self, reason=""):
        if not isinstance(reason, str):
            raise RpcError(INVALID_PARAMS, "reason is a text")
        if not self._boot.trial:
            raise RpcError(REFUSED, "nothing is on trial here")
        self._fall_back(reason or "rejected")
        return True

    def _cancel(self):
        if self._update is not None:
            self._drop()
            self._tell("idle")
        return True

    def _there(self):
        if self._update is None:
            raise RpcError(REFUSED, "no manifest has come: begin an update first")
        return self._update

    # Uploads

    def _take_manifest(self, size):
        if self._nonce is None:
            raise RpcError(REFUSED, "begin an update first")
        if not self._membership.adopted:
            raise RpcError(REFUSED, "no installation has adopted this board")
        self._uploads.breathe()
        gc.collect()
        self._uploads.breathe()
        from .manifest import MAX_BYTES

        if size > MAX_BYTES:
            raise RpcError(REFUSED, "a manifest has at most %d bytes" % MAX_BYTES)
        return _Manifest(size, self._open)

    def _open(self, octets):
        breathe = self._uploads.breathe
        breathe()
        from .update import Facts, Update

        nonce = self._nonce
        self._nonce = None  # each is good for one manifest
        running = self._boot.slot
        active = self._root + "/" + running if running in ("a", "b") else None
        target = self._root + "/" + self._target
        facts = Facts(self._board, own_arch(), VERSION, self._failed, active, target)
        update = Update(octets, self._membership.key, nonce, facts, breathe)
        if not self._playing():
            update.check_room()
        self._update = update
        self._count()

    def _take_files(self, size):
        update = self._there()
        if size != update.coming or update.came:
            raise RpcError(REFUSED, "%d bytes are missing here, not %d" % (update.coming, size))
        return _Files(update)

    # Writing

    def _go_on(self):
        update = self._update
        if not self._playing():
            if not self._chosen:
                self._choose(update)
            began = ticks_ms()
            while update.step():
                if ticks_diff(ticks_ms(), began) >= _WRITE_MS:
                    break
        if update.fault:
            self._tell("failed", update.version, 0, 0, update.fault)
            self._drop()
        elif update.done:
            self._ready = update.version
            self._tell("ready", update.version)
            self._drop()
        else:
            self._count()

    def _choose(self, update):
        # Without a selector the loader begins the newest whole slot: one that is only to be, too.
        try:
            self._save(self._active_now(), None)
        except OSError as error:
            update.fail("the flash can't be written: %s" % error)
        else:
            self._chosen = True

    def _count(self):
        update = self._update
        state, done, of = "receiving", update.came, update.coming
        if self._playing() and (done == of or update.room() < 4096):
            state = "waiting"
        elif done == of:
            state, done, of = "writing", update.written, update.size
        was = self._told
        # A fiftieth more is worth telling, and that all is here.
        if state != was[0] or done - was[2] >= of // 50 > 0 or done == of != was[2]:
            self._tell(state, update.version, done, of)

    def _drop(self):
        # One that waits to be closed has kept this one from a first step.
        if self._left is None:
            self._left = self._update
        self._update = None
        for name in ("update", "manifest"):
            sys.modules.pop("phantom." + name, None)
            if hasattr(sys.modules["phantom"], name):
                delattr(sys.modules["phantom"], name)

    # The trial

    def _prove(self, now_ms, began_ms):
        if self._told[0] == "proven":
            if not self._playing():
                self._confirm()
            return
        sounds, underruns, error_us = self._fare()
        well = sounds and -PROOF_US < error_us < PROOF_US
        if not well or underruns != self._underruns:
            self._underruns = underruns
            self._well_ms = None
        elif self._well_ms is None:
            self._well_ms = now_ms
        elif ticks_diff(now_ms, self._well_ms) >= PROOF_MS:
            self._boot.forgive(self._boot.slot)  # it may restart before it is written down
            self._tell("proven", VERSION)
            return
        if ticks_diff(now_ms, began_ms) >= TRIAL_MS:
            print("update: version", VERSION, "has not played in time: starting anew")
            self._restart()

    def _confirm(self):
        boot = self._boot
        try:
            self._save(boot.slot, None)
        except OSError as error:
            print("update: can't be confirmed:", error)
            return
        self._active = boot.slot
        boot.trial = False
        boot.steady()
        self._tell("confirmed", VERSION)

    def _fall_back(self, reason):
        self._remember(VERSION)
        self._save(self._active, None)
        self._tell("rolled-back", VERSION, 0, 0, reason)
        self._restart_ms = -1

    def _settle(self):
        # The loader gave an update up: write that down, once.
        boot = self._boot
        version = self._version_in(boot.given_up)
        reason = boot.record["text"].strip().split("\n")[-1]
        for fault in boot.faults:
            if fault.startswith("slot %s:" % boot.given_up):
                reason = fault[8:].strip() + (": " + reason if reason else "")
        boot.given_up = None
        self._remember(version)
        try:
            self._save(self._active_now(), None)
        except OSError as error:
            print("update: can't note that", version, "failed:", error)
        self._tell("rolled-back", version, 0, 0, reason)

    def _version_in(self, slot):
        try:
            with open("%s/%s/manifest" % (self._root, slot)) as f:
                f.readline()
                return f.readline().strip().split(" ", 1)[1]
        except (OSError, ValueError, IndexError):
            return "?"

    def _active_now(self):
        return self._boot.slot if self._boot.slot in ("a", "b") else self._active

    def _remember(self, version):
        if version not in self._failed:
            self._failed.append(version)
        self._failed = self._failed[-_FAILED_KEPT:]
        self._properties.set("update.failed", list(self._failed))

    def _save(self, active, trial):
        chosen = {"active": active, "trial": trial, "failed": self._failed}
        config.save(self._root + SELECTOR, chosen)

    def _tell(self, state, version="", done=0, of=0, reason=""):
        told = (state, version, done, of, reason[:_REASON_CHARS])
        self._told = told
        self._properties.set("update.state", _as_value(told))


class _Manifest:
    """Takes the upload of a manifest: done(octets) when it is whole."""

    def __init__(self, size, done):
        self._octets = bytearray(size)
        self._got = 0
        self._done = done

    def write(self, view):
        self._octets[self._got : self._got + len(view)] = view
        self._got += len(view)

    def finish(self):
        self._done(bytes(self._octets))

    def abort(self):
        self._octets = bytearray()


class _Files:
    """Takes the upload of the files."""

    def __init__(self, update):
        self._update = update
        self.write = update.take
        self.room = update.room

    def finish(self):
        pass  # the last of it is written in chores yet

    def abort(self):
        self._update.fail("the upload ended early")


def _as_value(told):
    state, version, done, of, reason = told
    return {"state": state, "version": version, "done": done, "of": of, "reason": reason}

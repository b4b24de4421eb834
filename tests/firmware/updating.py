"""A board's two slots in a folder, and whoever updates them: for tests on both interpreters."""

import hashlib
import os
from binascii import crc32, hexlify

from phantom import config, manifest
from phantom.properties import Properties
from phantom.updates import Updates
from phantom.uploads import Uploads
from phantom.wire import bulk
from tests.firmware.wire_pair import Pair

KEY = bytes(range(32))
OLD = {"phantom/device.mpy": b"old device" * 900, "phantom/wire/mux.mpy": b"mux" * 50}
NEW = {"phantom/device.mpy": b"new device" * 901, "phantom/wire/mux.mpy": b"mux" * 50}
NEW["phantom/empty.mpy"] = b""


def text_of(files, version="0.2.0", board="*", arch="bytecode", extra=()):
    """A manifest, unsigned."""
    lines = [manifest.MAGIC, "version " + version, "board " + board, "arch " + arch]
    lines += extra
    for name in sorted(files):
        digest = hexlify(hashlib.sha256(files[name]).digest()).decode()
        lines.append("file %s %d %s" % (digest, len(files[name]), name))
    body = ("\n".join(lines) + "\nhmac -\n").encode()
    return body + b"crc32 %08x\n" % crc32(body)


class Boot:
    """Stands where the loader's State would."""

    def __init__(self, slot="a", trial=False, given_up=None, selector=None, reason=None):
        self.slot = slot
        self.frozen = slot == "frozen"
        self.trial = trial
        self.given_up = given_up
        self.selector = selector
        self.reason = reason
        self.faults = []
        self.record = {"text": ""}
        self.forgiven = []
        self.was_steady = False

    def forgive(self, slot):
        self.forgiven.append(slot)

    def steady(self):
        self.was_steady = True


class Member:
    key = KEY
    adopted = True


class Board:
    """One that runs slot a in `root`, and its peer. `now_ms` goes on with each chore."""

    def __init__(self, root, boot=None):
        self.root = root
        self.playing = False
        self.fare = (False, 0, 0)
        self.restarts = 0
        self.now_ms = 0
        self.boot = boot or Boot()
        self.counts = []
        self.properties = Properties()
        self.uploads = Uploads(self.counts.append)
        self.updates = Updates(
            self.boot,
            "testboard",
            Member,
            self.properties,
            lambda: self.playing,
            lambda: self.fare,
            os.urandom,
            self._restart,
            root,
        )
        self.updates.receive(self.uploads)
        self.wire = Pair()
        self.rpc = self.wire.far
        self.bulk = None
        self.uploads.serve(self)
        self.updates.serve(self)

    def _restart(self):
        self.restarts += 1

    @property
    def state(self):
        return self.properties.get("update.state")

    def ask(self, method, **params):
        return self.wire.ask(method, params)

    def chore(self, times=1):
        for _ in range(times):
            self.now_ms += 50
            self.uploads.chore(self.now_ms)
            self.updates.chore(self.now_ms)

    def upload(self, data, purpose, turn=None):
        """As the box does; turn() between the pieces."""
        self.ask("transfer.begin", id=7, size=len(data), purpose=purpose)
        for at in range(0, len(data), bulk.DATA_BYTES):
            piece = bulk.header(7, at) + data[at : at + bulk.DATA_BYTES]
            while self.bulk.room() < len(piece):
                (turn or self.chore)()
            self.bulk.frame(self, len(piece))
            self.bulk.piece(self, piece, 0, len(piece), self.now_ms)
        return self.ask("transfer.end", id=7)

    def send_manifest(self, text, key=KEY, force=False, nonce=None):
        told = self.ask("update.begin")
        self.upload(manifest.sign(text, key, nonce or told["nonce"], force), "manifest")

    def send(self, files, text=None, force=False):
        """All of an update; the files that were wanted."""
        self.send_manifest(text or text_of(files), force=force)
        wanted = self.ask("update.wanted")
        names = [sorted(files)[number] for number in wanted["files"]]
        data = b"".join([files[name] for name in names])
        if data:
            self.upload(data, "update")
        return names


def flash(root, slot="a", files=None, version="0.1.0"):
    """Write a slot as a flasher does."""
    files = OLD if files is None else files
    for name in files:
        parts = (slot + "/" + name).split("/")
        for n in range(1, len(parts)):
            make_folder(root + "/" + "/".join(parts[:n]))
        put("%s/%s/%s" % (root, slot, name), files[name])
    put("%s/%s/manifest" % (root, slot), text_of(files, version))


def make_folder(path):
    try:
        os.mkdir(path)
    except OSError:
        pass


def put(path, octets):
    with open(path, "wb") as f:
        f.write(octets)


def get(path):
    """A file's content; None if it isn't there."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return None


def selector(root):
    """What the loader is told."""
    return config.load(root + "/slot")

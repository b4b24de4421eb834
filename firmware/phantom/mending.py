"""Mends what would save the board, while all is well: /safe and the two loaders.

Once after a start, while it is silent, they are looked at, a file at a time. A loader is mended
from its twin, /safe from the running slot, which the loader has found whole. What is damaged is
told, and then mended.
"""

import hashlib
import os
from binascii import crc32, hexlify

from .wire import const, discovery

# Everything that phantom.safe imports, and what its receivers of uploads do.
SAFE_MODULES = (
    "__init__",
    "adoption",
    "announcing",
    "beacons",
    "config",
    "doubt",
    "dsp",
    "handshake",
    "keys",
    "link",
    "listener",
    "manifest",
    "membership",
    "peer",
    "port/__init__",
    "port/board",
    "properties",
    "provision",
    "refusals",
    "registrar",
    "rpc",
    "safe",
    "spare",
    "storage",
    "strangers",
    "ticks",
    "transfer",
    "update",
    "updates",
    "upkeep",
    "uploads",
    "wire/__init__",
    "wire/audio",
    "wire/bulk",
    "wire/discovery",
    "wire/mux",
)
LOADERS = ("/loader.mpy", "/loader2.mpy")
_PIECE = const(512)


class Mending:
    """One look at everything, in steps; fault(text, reason) hears of what is damaged.

    slot: the folder of the code that runs. root: the flash's. mended: paths.
    """

    def __init__(self, slot, fault, root=""):
        self._slot = slot
        self._fault = fault
        self._root = root
        self._steps = self._look()
        self.mended = []

    def step(self):
        """Look at the next file, and mend it. False when all is done, or can't be."""
        try:
            next(self._steps)
        except StopIteration:
            return False
        except (OSError, ValueError, MemoryError) as error:
            self._fault("mending: %s" % error, discovery.DAMAGED_SPARE)
            return False
        return True

    def _look(self):
        # A generator: a file a turn.
        self._mend_loaders()
        yield
        safe = self._root + "/safe"
        whole = self._whole_manifest(safe)
        if whole:
            for line in _lines(safe + "/manifest"):
                words = line.split(None, 3)
                if words[0] != "file":
                    continue
                name = words[3]
                if not _is(safe + "/" + name, words[1], int(words[2])):
                    whole = False
                    break
                yield
        if whole:
            return
        self._damaged(safe)
        # Together and not one by one: modules of two versions may not fit each other.
        lines = []
        for line in _lines(self._slot + "/manifest"):
            words = line.split(None, 3)
            if words[0] in ("phantom-manifest", "version", "board", "arch"):
                lines.append(line)
            elif words[0] == "file" and _module(words[3]) in SAFE_MODULES:
                lines.append(line)
                if not _is(safe + "/" + words[3], words[1], int(words[2])):
                    _copy(self._slot + "/" + words[3], safe + "/" + words[3])
                yield
        lines.append("hmac -")
        body = "".join([line + "\n" for line in lines])
        _write(safe + "/manifest", (body + "crc32 %08x\n" % crc32(body.encode())).encode())
        self._tell_mended(safe)

    def _mend_loaders(self):
        found = [_sealed(self._root + path) for path in LOADERS]
        for number in (0, 1):
            path = self._root + LOADERS[number]
            if not found[number] and found[1 - number]:
                self._damaged(path)
                _copy(self._root + LOADERS[1 - number], path)
                self._tell_mended(path)

    def _whole_manifest(self, folder):
        """Whether its lines are as its last one says."""
        try:
            with open(folder + "/manifest", "rb") as f:
                octets = f.read()
        except OSError:
            return False
        at = octets.rfind(b"\n", 0, -1) + 1
        return octets[at:] == b"crc32 %08x\n" % crc32(octets[:at])

    def _damaged(self, path):
        self._fault("%s is damaged" % path, discovery.DAMAGED_SPARE)

    def _tell_mended(self, path):
        self.mended.append(path)
        print("mending:", path, "is mended")


def _module(name):
    return name[len("phantom/") : name.rfind(".")]


def _lines(path):
    with open(path) as f:
        for line in f:
            yield line.rstrip("\n")


def _is(path, digest, size):
    """Whether a file has this content."""
    hashed = hashlib.sha256()
    buffer = memoryview(bytearray(_PIECE))
    try:
        if os.stat(path)[6] != size:
            return False
        with open(path, "rb") as f:
            while True:
                got = f.readinto(buffer)
                if not got:
                    break
                hashed.update(buffer[:got])
    except OSError:
        return False
    return hexlify(hashed.digest()).decode() == digest


def _sealed(path):
    """Whether a loader has its own CRC-32 behind it."""
    try:
        with open(path, "rb") as f:
            octets = f.read()
    except OSError:
        return False
    return len(octets) > 4 and crc32(octets[:-4]) == int.from_bytes(octets[-4:], "little")


def _copy(source, target):
    _make_folders(target)
    with open(source, "rb") as f, open(target + ".new", "wb") as out:
        while True:
            piece = f.read(_PIECE)
            if not piece:
                break
            out.write(piece)
    os.rename(target + ".new", target)


def _write(path, octets):
    with open(path + ".new", "wb") as out:
        out.write(octets)
    os.rename(path + ".new", path)


def _make_folders(path):
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:  # it is there
            pass
        at = path.find("/", at + 1)

"""One update of a board's code: checked, staged in memory, written into the slot that is not run.

What comes while music plays is held in memory until it is silent, for a flash write stalls the
board; so `step` is called then only. Until the last step the slot has no manifest, and so no
loader begins it. Loaded when an update begins; see `updates` for the rest.
"""

import gc
import hashlib
import os
from binascii import hexlify

from . import manifest, storage
from .manifest import ManifestError
from .rpc import REFUSED, RpcError
from .wire import const

# One step writes a sector at most: an erase of 80 ms and its programming.
_PIECE = const(4096)
_SECTOR = const(4096)
# Folders, each file's last sector and what littlefs needs to move things.
_SPARE_SECTORS = const(12)
# What is held in memory: all of an update where memory is plenty, no less than two windows.
_MOST_STAGED = const(262144)
_LEAST_STAGED = const(8192)
_FOLDER = const(0x4000)


class Facts:
    """What an update has to fit: the board's name, its arch, the version that runs, those that
    have failed here, the folder of the slot that runs (None in safe mode) and the one to write.
    """

    def __init__(self, board, arch, version, failed, active, target):
        self.board = board
        self.arch = arch
        self.version = version
        self.failed = failed
        self.active = active
        self.target = target


class Update:
    """From a manifest that has come whole. Raises RpcError if it is not to be.

    key: of the installation. nonce: hex, as drawn for this update. staged: bytes of memory at
    most, by default what is to spare. breathe() sees that music goes on meanwhile.

    version: what it brings. wanted: numbers of the files that are not here yet, in the order in
    which their bytes are to come. coming: how many those are. size: bytes of all files. written:
    how many of those are in flash. done: it is in flash, whole. fault: why it will never be, or
    None.
    """

    def __init__(self, octets, key, nonce, facts, breathe=None, staged=None):
        self._octets = octets
        self._facts = facts
        self._files = self._checked(key, nonce, breathe)
        here = _digests_of(facts.active, breathe)
        self.wanted = [
            number
            for number, (digest, size, path) in enumerate(self._files)
            if size and here.get(path) != digest
        ]
        self.coming = sum([self._files[number][1] for number in self.wanted])
        self._here = len(self._files) - len(self.wanted)
        self._roomy = False  # whether the flash has room is known
        if breathe is not None:
            breathe()
        self._stage = _memory(self.coming, staged)
        self._at = 0  # of the first byte staged
        self.staged = 0
        self.came = 0
        self.written = 0
        self.done = False
        self.fault = None
        self._steps = self._work()

    def _checked(self, key, nonce, breathe):
        facts = self._facts
        try:
            manifest.verify(self._octets, key)
            found = manifest.parse(self._octets, breathe)
        except ManifestError as fault:
            raise RpcError(REFUSED, "not to be trusted: %s" % fault)
        wrong = None
        if found.nonce != nonce:
            wrong = "it was made for another occasion: begin again"
        elif found.board not in (manifest.ANY_BOARD, facts.board):
            wrong = "it is for the board %s, this is %s" % (found.board, facts.board)
        elif found.arch not in (manifest.BYTECODE, facts.arch):
            wrong = "it is code for %s, this chip runs %s" % (found.arch, facts.arch)
        elif not found.force and found.version in facts.failed:
            wrong = "version %s has failed here before: insist on it by --force" % found.version
        elif not found.force and _older(found.version, facts.version):
            wrong = "version %s is older than %s: insist on it by --force" % (
                found.version,
                facts.version,
            )
        if wrong:
            raise RpcError(REFUSED, wrong)
        self.version = found.version
        self.size = found.size
        return found.files

    def check_room(self):
        """Raise RpcError if the flash has too little. Takes long: only while nothing plays."""
        needed = _SPARE_SECTORS
        for _, size, _ in self._files:
            needed += -(-size // _SECTOR)
        target = self._facts.target
        free = storage.free(target[: target.rfind("/")] or "/") // _SECTOR
        for _, size in _files_in(target):
            free += -(-size // _SECTOR)
        if free < needed:
            text = "the flash has %d KB free, and %d are needed: remove files from it"
            raise RpcError(REFUSED, text % (free * _SECTOR // 1024, needed * _SECTOR // 1024))
        self._roomy = True

    # As bytes come: no flash is touched

    def room(self):
        """Bytes that can be taken now."""
        return len(self._stage) - self.staged

    def take(self, view):
        """Bytes of the files wanted, in their order. Raises RpcError once it is in vain."""
        if self.fault:
            raise RpcError(REFUSED, self.fault)
        count = len(view)
        if count > self.room():
            self.fail("more came than there is memory for")
            raise RpcError(REFUSED, self.fault)
        stage = self._stage
        to = self._at + self.staged
        if to >= len(stage):
            to -= len(stage)
        first = min(count, len(stage) - to)
        stage[to : to + first] = view[:first]
        if first < count:
            stage[: count - first] = view[first:]
        self.staged += count
        self.came += count

    def fail(self, text):
        """It will not be."""
        if not self.done and self.fault is None:
            self.fault = text
            self._stage = bytearray()
            self.staged = 0

    # While nothing plays

    def step(self):
        """Write a little. False if there is nothing to write until more has come."""
        if self.done or self.fault:
            return False
        try:
            return next(self._steps)
        except StopIteration:
            self.done = True
        except RpcError as fault:
            self.fail(fault.message)
        except MemoryError:  # nor is there a next step after it
            self.fail("no memory to write it just now: send it again")
        except OSError as fault:
            self.fail("the flash can't be written: %s" % fault)
        return False

    def close(self):
        """No more steps: the file that is half written is closed here, not by some collection."""
        try:
            self._steps.close()
        except OSError as fault:
            print("update: a file can't be closed:", fault)

    def _work(self):
        target = self._facts.target
        if not self._roomy:
            self.check_room()
            yield True
        _make_folder(target)
        _remove(target + "/" + manifest.NAME)
        yield True
        for path, _ in _files_in(target):
            _remove(path)
            yield True
        for number, (digest, size, path) in enumerate(self._files):
            _make_folders(target, path)
            hashed = hashlib.sha256()
            with open(target + "/" + path, "wb") as out:
                if number in self.wanted:
                    yield from self._receive(out, size, hashed)
                else:
                    yield from self._copy(out, path, size, hashed)
            if hashed.digest() != digest:
                raise RpcError(REFUSED, "%s came damaged: send it again" % path)
            yield True
            if _digest(target + "/" + path) != digest:
                raise RpcError(REFUSED, "the flash holds not what was written to %s" % path)
            yield True
        new = target + "/manifest.new"
        with open(new, "wb") as out:
            out.write(self._octets)
        os.rename(new, target + "/" + manifest.NAME)

    def _receive(self, out, size, hashed):
        left = size
        while left:
            take = min(left, _PIECE)
            while self.staged < take:
                yield False
            take = min(take, len(self._stage) - self._at)
            piece = memoryview(self._stage)[self._at : self._at + take]
            hashed.update(piece)
            out.write(piece)
            left -= take
            self.written += take
            self.staged -= take
            self._at += take
            if self._at == len(self._stage):
                self._at = 0
            yield True

    def _copy(self, out, path, size, hashed):
        if not size:
            return
        piece = memoryview(bytearray(min(size, _PIECE)))
        with open(self._facts.active + "/" + path, "rb") as source:
            while True:
                got = source.readinto(piece)
                if not got:
                    return
                hashed.update(piece[:got])
                out.write(piece[:got])
                self.written += got
                yield True


def nonce_of(octets):
    """Random bytes as the nonce of a manifest."""
    return hexlify(octets).decode()


def _older(version, than):
    return manifest.numbers(version) < manifest.numbers(than)


def _digests_of(folder, breathe):
    # By path, of the slot that runs: the loader has checked them at this start.
    if folder is None:
        return {}
    try:
        with open(folder + "/" + manifest.NAME, "rb") as f:
            found = manifest.parse(f.read(manifest.MAX_BYTES + 1), breathe)
    except (OSError, ManifestError):
        return {}
    return {path: digest for digest, _, path in found.files}


def _memory(coming, staged):
    if not coming:
        return bytearray()
    if staged is None:
        gc.collect()
        free = gc.mem_free() if hasattr(gc, "mem_free") else _MOST_STAGED * 4
        staged = min(_MOST_STAGED, max(free // 4, _LEAST_STAGED))
    try:
        return bytearray(max(_LEAST_STAGED, min(staged, -(-coming // _PIECE) * _PIECE)))
    except MemoryError:
        raise RpcError(REFUSED, "no memory for an update just now: try again later")


def _files_in(folder):
    # (path, bytes) of all files of a slot, deepest folders too; none if there is no slot. A stat
    # looks through three folders for each; a listing, some of which tell no sizes, only once.
    found = []
    folders = [folder]
    while folders:
        folder = folders.pop()
        try:
            for entry in os.ilistdir(folder):
                path = folder + "/" + entry[0]
                if entry[1] & _FOLDER:
                    folders.append(path)
                else:
                    found.append((path, entry[3] if len(entry) > 3 else os.stat(path)[6]))
        except OSError:
            continue
    return found


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # it isn't there


def _make_folder(path):
    try:
        os.mkdir(path)
    except OSError:
        pass  # it is there; if it is not, opening a file in it tells


def _make_folders(target, path):
    at = path.find("/")
    while at >= 0:
        _make_folder(target + "/" + path[:at])
        at = path.find("/", at + 1)


def _digest(path):
    hashed = hashlib.sha256()
    piece = memoryview(bytearray(512))
    with open(path, "rb") as f:
        while True:
            got = f.readinto(piece)
            if not got:
                return hashed.digest()
            hashed.update(piece[:got])

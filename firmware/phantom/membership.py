"""Which installation a device belongs to, and the key that proves it.

A device that belongs to none has a *code* instead, new with each start and shown on its serial
line only: whoever can read that may adopt it (`adoption`). Both files are written outside of
playing: at the start, on joining and on leaving.
"""

from binascii import hexlify, unhexlify
from hashlib import sha256

from . import config
from .keys import KEY_BYTES
from .wire import const

INSTALLATION = "/installation.json"  # {"id", "key", "name"}; an empty object after leaving
BOOTS = "/boots.json"  # {"boots": how often this device has started}

INSTALLATION_BYTES = const(8)
NO_INSTALLATION = b"\0" * INSTALLATION_BYTES
NO_KEY = b"\0" * KEY_BYTES

# Base32 without letters and digits that look alike: 12 of them are 60 bits.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CODE_CHARS = const(12)
# Each guess at a code from a recorded handshake costs so many hashes; a board spends 0.1 s, once.
_CODE_ROUNDS = const(1000)
_BOOT_MAX = const(0x3FFFFFFF)
_NAME_CHARS = const(64)
_ENOSPC = const(28)  # which MicroPython's errno has no name for


class Membership:
    """What a device knows of its installation. `random_bytes(n)` gives n unguessable bytes.

    id: the device's own. installation, key: zeros while not adopted. name: the installation's.
    boot: how often this device has started, from 1, so that its starts are ordered. code: shown
    to whoever may adopt it; None once adopted. fault: what was wrong in flash, or None.
    full: whether flash had no room for anything. `spare` is a phantom.spare.Spare, for an
    installation that is lost in flash.
    """

    def __init__(self, device_id, random_bytes, folder="", spare=None):
        self.id = device_id
        self._spare = spare
        self.fault = None
        self.full = False  # nothing can be kept in flash any more
        self._random = random_bytes
        self._path = folder + INSTALLATION
        self._watchers = []
        self._code_key = None
        self._forget()
        self._load()
        self._count_boot(folder + BOOTS)

    def _count_boot(self, path):
        try:
            boots = config.load(path)["boots"]
            if not isinstance(boots, int) or not 0 <= boots < _BOOT_MAX:
                boots = 0
        except (config.ConfigError, KeyError):
            boots = 0  # the first start; or the count is lost, and peers find out by asking
        self.boot = boots + 1
        try:
            config.save(path, {"boots": self.boot})
        except OSError as error:  # a full flash must not keep a device from coming up
            self.full = error.args[0] == _ENOSPC
            self.fault = self.fault or "membership: %s can't be saved: %s" % (path, error)

    def show_code(self):
        """Draw a code and show it, unless the device is adopted. Call it once the radio is on, for
        the chip's random numbers are at their best then, and before any link is let in."""
        if self.adopted:
            print("this device:", self.id, "of", self.name)
        else:
            self._new_code()

    def _forget(self):
        self.installation = NO_INSTALLATION
        self.key = NO_KEY
        self.name = ""
        self.adopted = False
        self.code = None

    def _load(self):
        try:
            stored = config.load(self._path)
            if stored:
                self._take(unhexlify(stored["id"]), unhexlify(stored["key"]), stored["name"])
        except config.ConfigError as error:
            missing = isinstance(error, config.Missing)
            if not self._recall(missing) and not missing:
                self.fault = str(error)
        except (KeyError, TypeError, ValueError):
            if not self._recall(False):
                self.fault = "membership: %s is not one; adopt the device again" % self._path

    def _recall(self, missing):
        """Take the installation from the copy in NVS; whether there was one to take."""
        stored = self._spare.installation(missing) if self._spare is not None else None
        if not stored:
            return False
        try:
            self._take(unhexlify(stored["id"]), unhexlify(stored["key"]), stored["name"])
        except (KeyError, TypeError, ValueError):
            return False
        self.fault = "config: %s is written again from the copy in NVS" % self._path
        print(self.fault)
        try:
            config.save(self._path, stored)
        except OSError as error:
            self.fault = "config: %s can't be written again: %s" % (self._path, error)
        return True

    def _take(self, installation, key, name):
        _check(installation, key, name)
        self.installation = bytes(installation)
        self.key = bytes(key)
        self.name = name
        self.adopted = True
        self.code = None
        self._code_key = None

    def _new_code(self):
        code = ""
        for octet in self._random(_CODE_CHARS):
            code += ALPHABET[octet & 31]
        self.code = "-".join((code[:4], code[4:8], code[8:]))
        self._code_key = None
        print("adopt this device:  phantom adopt", self.id, self.code)

    def code_key(self):
        """The key that the code shown stands for; None once adopted. Slow the first time."""
        if self._code_key is None and self.code is not None:
            self._code_key = code_key(self.code, self.id)
        return self._code_key

    def watch(self, callback):
        """Call callback() after the device has joined or left an installation."""
        self._watchers.append(callback)

    def join(self, installation, key, name):
        """Belong to an installation from now on. Raises ValueError for what is none."""
        _check(installation, key, name)
        texts = hexlify(installation).decode(), hexlify(key).decode()
        config.save(self._path, {"id": texts[0], "key": texts[1], "name": name})
        self._take(installation, key, name)
        self.fault = None
        for callback in self._watchers:
            callback()

    def leave(self):
        """Belong to none, with a new code to be adopted by."""
        self._forget()
        for _ in range(2):  # so that no older copy holds the key
            config.save(self._path, {})
        self._new_code()
        for callback in self._watchers:
            callback()


def _check(installation, key, name):
    if len(installation) != INSTALLATION_BYTES or len(key) != KEY_BYTES:
        raise ValueError("an installation's id has 8 bytes and its key 32")
    if installation == NO_INSTALLATION or key == NO_KEY:
        raise ValueError("an installation's id and key are not zero")
    if not isinstance(name, str) or len(name) > _NAME_CHARS:
        raise ValueError("an installation's name is text of at most 64 characters")


def tidy_code(text):
    """A code as shown, from however a person typed it. Raises ValueError if it can't be one."""
    code = ""
    for char in text.upper():
        if char in ALPHABET:
            code += char
        elif char not in "- ":
            raise ValueError("the code has no %r; look at the board's serial console" % char)
    if len(code) != _CODE_CHARS:
        raise ValueError("the code has 12 letters and digits, as on the board's serial console")
    return "-".join((code[:4], code[4:8], code[8:]))


def code_key(code, device_id):
    """The 32-byte key that a device's code stands for."""
    digest = sha256(b"phantom adopt " + device_id.encode() + b" " + code.encode()).digest()
    for _ in range(_CODE_ROUNDS):
        digest = sha256(digest).digest()
    return digest

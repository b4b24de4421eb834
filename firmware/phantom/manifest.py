"""Manifests of code slots, as an update sends them: checked in full before anything is written.

    phantom-manifest 1
    version 0.2.0
    board esp32_generic_s3          or * for any
    arch xtensawin                  or bytecode for any
    nonce <hex>                     in an update: the one that the board has drawn for it
    force 1                         in an update that may go back, or try again what failed
    file <SHA-256, hex> <bytes> phantom/rpc.mpy
    hmac <hex, or - unsigned>       HMAC-SHA256 of the lines before, under the installation's key
    crc32 <8 hex digits>            of the lines before, for whoever has no key

Loaded when an update begins, and by boxes.
"""

from binascii import crc32, hexlify, unhexlify

from .keys import hmac_sha256, same
from .wire import const

MAGIC = "phantom-manifest 1"
NAME = "manifest"
ANY_BOARD = "*"
BYTECODE = "bytecode"

MAX_BYTES = const(16384)
MAX_FILES = const(128)
MAX_FILE_BYTES = const(262144)
# Half of a stock board's file system.
MAX_TOTAL_BYTES = const(1048576)
_MAX_PATH_CHARS = const(64)
_DIGEST_BYTES = const(32)
_HEAD = ("version", "board", "arch", "nonce", "force")


class ManifestError(ValueError):
    """A text that is no manifest, or not one for here; the message says why."""


class Manifest:
    """What a slot is to hold.

    version, board, arch: texts. nonce: hex, or "". force: bool. files: a list of (SHA-256 as
    bytes, bytes, path), in the order in which they are sent.
    """

    def __init__(self, head, files):
        self.version = head["version"]
        self.board = head["board"]
        self.arch = head["arch"]
        self.nonce = head.get("nonce", "")
        self.force = head.get("force") == "1"
        self.files = files

    @property
    def size(self):
        """Bytes of all files."""
        return sum([size for _, size, _ in self.files])


def body_of(octets):
    """What the HMAC is of: all before its line. Raises ManifestError for what is damaged."""
    at = octets.rfind(b"\ncrc32 ") + 1
    if len(octets) > MAX_BYTES:
        raise ManifestError("a manifest of more than %d bytes" % MAX_BYTES)
    if not at or octets[at:] != b"crc32 %08x\n" % crc32(octets[:at]):
        raise ManifestError("a manifest that is damaged or cut short")
    end = octets.rfind(b"\nhmac ", 0, at) + 1
    if not end or octets.find(b"\n", end) + 1 != at:
        raise ManifestError("a manifest without its HMAC")
    return octets[:end]


def verify(octets, key):
    """Raise ManifestError unless an installation's key has signed it."""
    body = body_of(octets)
    try:
        seal = unhexlify(octets[len(body) + 5 : octets.rfind(b"\ncrc32 ")])
    except ValueError:  # "-", of a flasher
        seal = b""
    if not same(seal, hmac_sha256(key, body)):
        raise ManifestError("its HMAC is not of this installation's key")


def sign(octets, key, nonce="", force=False):
    """The manifest again, with a nonce and signed. Raises ManifestError for what is none."""
    lines = body_of(octets).split(b"\n")
    head = [line for line in lines[1:4] if line]
    if nonce:
        head.append(b"nonce " + nonce.encode())
    if force:
        head.append(b"force 1")
    files = [line for line in lines if line.startswith(b"file ")]
    body = b"\n".join(lines[:1] + head + files) + b"\n"
    body += b"hmac " + hexlify(hmac_sha256(key, body)) + b"\n"
    return body + b"crc32 %08x\n" % crc32(body)


def parse(octets, breathe=None):
    """A Manifest. Its HMAC is not looked at. breathe() is called at each line: a board
    takes its time for them. Raises ManifestError.
    """
    body = body_of(octets)
    try:
        lines = body.decode().split("\n")
    except (UnicodeError, ValueError):
        raise ManifestError("a manifest that is not text")
    if lines.pop(0) != MAGIC or lines.pop() != "":
        raise ManifestError("no manifest of a version that is known here")
    head = {}
    files = []
    seen = set()
    for line in lines:
        if breathe is not None:
            breathe()
        kind, _, value = line.partition(" ")
        if kind == "file":
            entry = _entry(value)
            if entry[2] in seen:
                raise ManifestError("a manifest that names %s twice" % entry[2])
            seen.add(entry[2])
            files.append(entry)
        elif files or kind not in _HEAD or kind in head or not 0 < len(value) <= _MAX_PATH_CHARS:
            raise ManifestError("a manifest with a line that makes no sense: %s" % line[:40])
        else:
            head[kind] = value
    for name in _HEAD[:3]:
        if name not in head:
            raise ManifestError("a manifest without its %s" % name)
    found = Manifest(head, files)
    if not files or len(files) > MAX_FILES or found.size > MAX_TOTAL_BYTES:
        raise ManifestError("a manifest of %d files, %d bytes" % (len(files), found.size))
    return found


def _entry(value):
    words = value.split(" ", 2)
    if len(words) != 3:
        raise ManifestError("a manifest with half a line: %s" % value[:40])
    try:
        digest = unhexlify(words[0])
        size = int(words[1])
    except ValueError:
        raise ManifestError("a manifest with a line that makes no sense: %s" % value[:40])
    if len(digest) != _DIGEST_BYTES or not 0 <= size <= MAX_FILE_BYTES:
        raise ManifestError("a manifest with a file of %d bytes" % size)
    _check_path(words[2])
    return digest, size, words[2]


def _check_path(path):
    # Nothing may lead out of the slot, or take the manifest's own place.
    parts = path.split("/")
    right = len(path) <= _MAX_PATH_CHARS and len(parts) > 1 and parts[0] == "phantom"
    for part in parts:
        right = right and part not in ("", ".", "..")
    for char in path:
        right = right and (char.isalpha() or char.isdigit() or char in "_-./") and ord(char) < 128
    if not right:
        raise ManifestError("a file where none may be: %s" % path[:_MAX_PATH_CHARS])


def numbers(version):
    """A version as what orders it: "0.10.1" is newer than "0.9"."""
    return [int(part) if part.isdigit() else 0 for part in version.split("+")[0].split(".")]

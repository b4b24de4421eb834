"""Files in flash that outlive power cuts and damage: lines under a checksum, in two copies.

    /device.json        the file
    /device.json.old    the version before it
    /device.json.new    the version being written

A save writes .new, reads it back, moves the file to .old and .new to the file. Wherever power goes
(littlefs moves atomically), a load finds the old or the new version: the first whole one of file,
.new and .old. A file as a flasher writes it, without checksum, is taken too.
"""

import json
import os
from binascii import crc32

BOARD = "/board.json"  # facts of the board: pins, DAC, memory
DEVICE = "/device.json"  # what its owner decided: id, name, Wi-Fi, trims

OLD = ".old"
NEW = ".new"
# What a board can read into its heap; whatever is longer was not written here.
MAX_BYTES = 65536
_PIECE = 256  # of a line, read at once
_SEAL = "crc32 "  # begins the last line of a file saved here


class ConfigError(ValueError):
    """A config file is missing, damaged or not what it should be, and so are its copies."""


class Missing(ConfigError):
    """Neither the file nor a copy of it exists."""


def load(path, tell=print, check=None):
    """The object stored at `path`. tell(text) hears of a fault that a copy made up for.

    check(object) raises ValueError for one that can't be it. Raises ConfigError if no copy is
    whole.
    """
    parse = _parser(check)
    return load_lines(path, parse, tell, sealed=False, remedy="provision the board again")


def load_or(path, default, tell=print):
    """The object stored at `path`, or `default`: tell(text) hears why unless there was no file."""
    try:
        return load(path, tell)
    except Missing:
        pass
    except ConfigError as error:
        tell(str(error))
    return default


def save(path, content):
    """Store an object at `path`, whole or not at all. Never while playing: flash writes stall.

    Raises OSError if the flash is full or holds not what was written; the old version is kept.
    """
    save_lines(path, (json.dumps(content),), _object)


def keep(path, check=None):
    """See that there is a second copy of a file that only a flasher has written so far."""
    parse = _parser(check)
    if not _whole(path + OLD, parse) and _whole(path, parse):
        _write(path + NEW, _read(path, True))
        os.rename(path + NEW, path + OLD)


def load_lines(path, parse, tell=print, sealed=True, remedy="it starts empty"):
    """parse(lines) of the file at `path`, or of a copy; parse raises ValueError for a fault.

    The lines come one by one, so that a board need not hold them all. Unless `sealed`, the
    file itself counts without a checksum, too. Raises ConfigError, ending with the remedy, if
    no copy is whole.
    """
    fault = None
    for copy in (path, path + NEW, path + OLD):
        try:
            content = _parsed_seal(copy, parse) if sealed else parse(_read(copy, copy == path))
        except OSError:
            wrong = "is missing"
        except ValueError as error:  # UnicodeError is one
            wrong = "is damaged (%s)" % (str(error) or "not text")
        else:
            if fault:
                tell("config: %s %s; its copy %s is used" % (path, fault, copy))
            return content
        if copy == path or (fault == "is missing" and wrong != fault):
            fault = wrong
    kind = Missing if fault == "is missing" else ConfigError
    raise kind("config: %s %s; %s" % (path, fault, remedy))


def save_lines(path, lines, parse=None):
    """Store lines of text at `path`, as `save` does an object.

    `parse` as in `load_lines`; without it, only a file with a checksum counts as whole.
    """
    new = path + NEW
    if not _whole(path, parse) and _whole(new, parse, False):
        # A save that power ended between its two moves: its .new is the newest there is.
        os.rename(new, path)
    _write(new, lines)
    if not _whole(new, parse, False):
        raise OSError("%s: the flash holds not what was written" % new)
    # A damaged file must not take the place of a good copy.
    if _whole(path, parse):
        os.rename(path, path + OLD)
    os.rename(new, path)


def _write(path, lines):
    seal = 0
    with open(path, "wb") as f:
        for line in lines:
            octets = (line + "\n").encode()
            seal = crc32(octets, seal)
            f.write(octets)
        f.write(_seal_line(seal))


def _read(path, unsealed):
    """The lines of a file without its seal; a file that has none counts only if `unsealed`."""
    size = os.stat(path)[6]
    if size > MAX_BYTES:
        raise ValueError("over %d bytes" % MAX_BYTES)
    with open(path, "rb") as f:
        octets = f.read(size)  # MicroPython allocates what is asked for, not what there is
    text = str(octets, "utf-8")
    body = text.rstrip("\n")
    at = body.rfind("\n") + 1
    if not body.startswith(_SEAL, at):
        if unsealed:
            return body.split("\n")
        raise ValueError("no checksum")
    if body[at + len(_SEAL) :] != "%08x" % crc32(text[:at].encode()):
        raise ValueError("wrong checksum")
    return body[: at - 1].split("\n") if at else []


def _parser(check):
    if check is None:
        return _object

    def parse(lines):
        content = _object(lines)
        check(content)
        return content

    return parse


def _object(lines):
    text = "\n".join(lines)
    if not text.rstrip().endswith("}"):  # a board takes "{" for an object
        raise ValueError("no object")
    try:
        content = json.loads(text)
    except RuntimeError:  # of CPython, for what is nested too deep
        raise ValueError("nested too deep")
    except ValueError:
        raise ValueError("not JSON")
    if not isinstance(content, dict):
        raise ValueError("no object")
    return content


def _parsed_seal(path, parse):
    """parse(lines) of a file with a checksum, never more than a line of it in memory."""
    if not _sealed(path):
        raise ValueError("no checksum, or a wrong one")
    with open(path, "rb") as f:
        return parse(_each_line(f))


def _each_line(f):
    while True:
        line = str(f.readline(), "utf-8")
        if line.startswith(_SEAL):
            return
        yield line.rstrip("\n")


def _sealed(path):
    if os.stat(path)[6] > MAX_BYTES:
        return False
    seal = 0
    last = b""
    with open(path, "rb") as f:
        while True:
            piece = f.readline(_PIECE)
            if not piece:
                return last == _seal_line(seal)
            seal = crc32(last, seal)
            last = piece


def _seal_line(seal):
    return ("%s%08x\n" % (_SEAL, seal)).encode()


def _whole(path, parse, unsealed=True):
    try:
        if parse is None:
            return _sealed(path)
        parse(_read(path, unsealed))
    except (OSError, ValueError):
        return False
    return True

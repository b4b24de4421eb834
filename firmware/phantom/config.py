"""Config in flash: JSON with a checksum, written beside the old file and moved over it.

A power cut leaves the old or the new content (littlefs moves atomically). An exception in
mid-write could leave half a file under a temporary name; it is never read.
"""

import json
import os
from binascii import crc32

BOARD = "/board.json"  # facts of the board: pins, DAC, memory
DEVICE = "/device.json"  # what its owner decided: id, name, Wi-Fi, trims


class ConfigError(ValueError):
    """A config file is missing, damaged or not what it should be."""


def load(path):
    """The object stored at `path`. One without checksum, as a flasher writes it, is taken too."""
    try:
        with open(path) as f:
            stored = json.load(f)
    except OSError:
        raise ConfigError("config: %s is missing; provision the board again" % path)
    except (ValueError, UnicodeError):
        raise ConfigError("config: %s is not JSON; provision the board again" % path)
    if not isinstance(stored, dict):
        raise ConfigError("config: %s holds no object; provision the board again" % path)
    if "crc" not in stored:
        return stored
    text = stored.get("content")
    if not isinstance(text, str) or crc32(text.encode()) != stored["crc"]:
        raise ConfigError("config: %s is damaged; provision the board again" % path)
    return json.loads(text)


def save(path, content):
    """Store `content` at `path`, whole or not at all. Never while playing: flash writes stall."""
    text = json.dumps(content)
    partial = path + ".new"
    with open(partial, "w") as f:
        json.dump({"crc": crc32(text.encode()), "content": text}, f)
    os.rename(partial, path)

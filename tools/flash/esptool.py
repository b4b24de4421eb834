"""esptool, unmodified, as a process of its own: what it is asked, and what its answers mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from boards.image import chips
from boards.image.chips import Chip
from boards.image.partitions import MIB
from tools.flash.faults import UNDERWAY, FlashFault
from tools.flash.plan import Piece
from tools.flash.process import Ended, need, run_module

# Connecting takes up to 7 attempts of a few seconds each.
_CONNECT_SECONDS = 60.0
# At 115200 baud 1 MB takes 90 s, and a slow flash chip as long again.
_SECONDS_PER_MB = 240.0

_CHIP = re.compile(r"^Chip type:\s+(ESP[\w-]+)(.*)$", re.MULTILINE)
_MAC = re.compile(r"^MAC:\s+([0-9a-f:]{17})", re.MULTILINE | re.IGNORECASE)
_FLASH = re.compile(r"^Detected flash size:\s+(\d+)(KB|MB)", re.MULTILINE)
_SKIPPED = re.compile(r"at (0x[0-9a-f]+) already in flash")
_WROTE = re.compile(r"^Wrote \d+ bytes.* at (0x[0-9a-f]+)")
_AT = re.compile(r"Writing at (0x[0-9a-f]+)")
_FATAL = re.compile(r"(?:A fatal error occurred|A serial exception error occurred): (.*)")


@dataclass(frozen=True)
class Connected:
    """The chip on a port. title: as esptool calls it. mac: with colons."""

    chip: Chip | None
    title: str
    mac: str
    flash_bytes: int


@dataclass(frozen=True)
class Saying:
    """What esptool may say, and what to tell people then; groups of the pattern as \\1."""

    pattern: str
    meaning: str


def identify(port: str, attempts: int | None = None) -> Connected:
    """Reset the chip on `port` into its ROM loader and ask what it is; then it starts again.

    Raises FlashFault.
    """
    need("serial", "esptool")
    options = [] if attempts is None else ["--connect-attempts", str(attempts)]
    ended = run_module("esptool", ["--port", port, *options, "flash-id"], _CONNECT_SECONDS)
    if ended.status != 0:
        raise explain(port, ended)
    return parse_identity(port, ended.output)


def parse_identity(port: str, output: str) -> Connected:
    """What `flash-id` says. Raises FlashFault if it doesn't say enough."""
    chip, mac, flash = _CHIP.search(output), _MAC.search(output), _FLASH.search(output)
    if chip is None or mac is None:
        raise FlashFault(f"{port}: esptool names no chip: is its version 5 or newer?", UNDERWAY)
    if flash is None:
        raise FlashFault(
            f"{port}: the {chip[1]} does not tell the size of its flash: is the chip's flash "
            "wired to it alone? Unplug everything from its pins and repeat",
            UNDERWAY,
        )
    size = int(flash[1]) * (MIB if flash[2] == "MB" else 1024)
    return Connected(kind(chip[1]), (chip[1] + chip[2]).strip(), mac[1].lower(), size)


def kind(title: str) -> Chip | None:
    """The chip that esptool's name of one (ESP32-D0WD-V3, ESP32-S3, ...) stands for."""
    family = re.match(r"ESP32-?((?:[SCHP]\d+)?)(?![0-9])", title)
    return None if family is None else chips.CHIPS.get("esp32" + family[1].lower())


def write(
    port: str,
    chip: Chip,
    baud: int,
    pieces: Sequence[Piece],
    folder: Path,
    hear: Callable[[Piece, bool], None],
    reach: Callable[[int], None],
) -> None:
    """Write pieces that are not in the chip's flash yet, each verified by the chip's MD5 of it.

    `folder` takes a file for each. hear(piece, skipped) is called after each, reach(offset) now
    and then with the place that is written. Raises FlashFault.
    """
    need("serial", "esptool")
    arguments: list[str | Path] = ["--port", port, "--chip", chip.name, "--baud", str(baud)]
    arguments += ["write-flash", "--skip-flashed"]
    for piece in pieces:
        file = folder / f"{piece.offset:08x}.bin"
        file.write_bytes(piece.data)
        arguments += [f"{piece.offset:#x}", file]
    by_offset = {piece.offset: piece for piece in pieces}
    done: set[int] = set()

    def line(text: str) -> None:
        for pattern, skipped in ((_SKIPPED, True), (_WROTE, False)):
            match = pattern.search(text)
            if match and (offset := int(match[1], 16)) in by_offset and offset not in done:
                done.add(offset)
                hear(by_offset[offset], skipped)
                return
        if match := _AT.search(text):
            reach(int(match[1], 16))

    seconds = _CONNECT_SECONDS + _SECONDS_PER_MB * sum(len(p.data) for p in pieces) / MIB
    ended = run_module("esptool", arguments, seconds, line)
    if ended.status != 0:
        raise explain(port, ended)
    missing = [offset for offset in by_offset if offset not in done]
    if missing:
        raise FlashFault(
            f"{port}: esptool ended well but said nothing of {missing[0]:#x}: repeat", UNDERWAY
        )


def read(port: str, chip: Chip, baud: int, offset: int, size: int, into: Path) -> bytes:
    """Bytes of the chip's flash as it sends them back. Raises FlashFault."""
    arguments = ["--port", port, "--chip", chip.name, "--baud", str(baud)]
    arguments += ["read-flash", f"{offset:#x}", f"{size:#x}", str(into)]
    ended = run_module("esptool", arguments, _CONNECT_SECONDS + _SECONDS_PER_MB * size / MIB)
    if ended.status != 0:
        raise explain(port, ended)
    return into.read_bytes()


def explain(port: str, ended: Ended) -> FlashFault:
    """The fault that esptool's output tells of, in a line of our own."""
    if ended.status is None:
        return FlashFault(f"{port}: esptool took too long: unplug the board and repeat", UNDERWAY)
    output = ended.output
    for saying in _EXPLANATIONS:
        match = re.search(saying.pattern, output, re.IGNORECASE | re.DOTALL)
        if match:
            return FlashFault(f"{port}: {match.expand(saying.meaning)}", UNDERWAY)
    match = _FATAL.search(output)
    lines = [line for line in output.strip().splitlines() if line.strip()]
    said = match[1] if match else (lines[-1].strip() if lines else "nothing")
    return FlashFault(f"{port}: esptool failed: {said.rstrip('.')}: repeat", UNDERWAY)


# What esptool 5 says, by its source: loader.py, cmds.py, util.py. The first that matches.
_EXPLANATIONS = (
    Saying(r"Errno 2\b|No such file or directory", "the port is gone: plug the board in again"),
    Saying(
        r"Permission denied", "no permission: join the group of the port, see docs/flashing.md"
    ),
    Saying(r"exclusively lock|Access is denied|Errno 16\b", "in use by another program: close it"),
    Saying(r"Inappropriate ioctl", "not a serial port: look for it by `phantom boards`"),
    Saying(
        r"This chip is (ESP[\w-]+), not (ESP[\w-]+?)\.",
        r"the chip is an \1, not an \2: look which --board it is",
    ),
    Saying(
        r"(requires chip revision [^()]+?) \(this chip is revision (v[\d.]+)",
        r"the image \1, the chip is \2: take a newer board, or an older image",
    ),
    Saying(r"is not an? (ESP[\w-]+) image", r"the image is not for this \1: take the one for it"),
    Saying(
        "No serial data received|Failed to connect to |Wrong boot mode|Failed to autodetect chip",
        "the board is silent: hold its BOOT (or IO0) button, press RESET (or EN), let BOOT go, "
        "and repeat",
    ),
    Saying(
        r"MD5 of file does not match|flash region is empty",
        "what was written is not what the flash holds: repeat; if it fails again, try a lower "
        "--baud, then another cable or board",
    ),
    Saying(r"will not fit in (\d+) bytes of flash", r"not enough flash: the chip has \1 bytes"),
    Saying(
        r"Failed to set baud rate (\d+)",
        r"the port can't do \1 baud: give a lower one, --baud 115200",
    ),
    Saying(
        "device disconnected|Input/output error|chip stopped responding|Lost connection|"
        "No more data to read|serial exception|Invalid head of packet|stream stopped|"
        "transfer stopped|Guru Meditation|Failed to write to",
        "the connection broke off: look at the cable, and repeat; a lower --baud helps long ones",
    ),
)

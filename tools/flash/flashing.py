"""Flash a board: from a bare chip to a device of the house.

Everything that can be found wrong is found before the first byte is written: the image, its chip
against the board's and the connected one, the flash's size, the files. What fails after that is
mended by running it again: pieces that the chip holds already are skipped.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boards.image import filesystem, firmware
from boards.image.filesystem import FilesystemError
from boards.image.firmware import FirmwareError
from boards.image.partitions import megabytes
from phantom import VERSION
from phantom.manifest import BYTECODE
from tools.flash import catalogue, download, esptool, joining, plan, ports, release, starting
from tools.flash.esptool import Connected
from tools.flash.faults import UNDERWAY, FlashFault
from tools.flash.identity import Identity
from tools.flash.plan import Piece
from tools.flash.release import Release
from tools.flash.starting import Started
from tools.flash.steps import Steps

# What every USB bridge of such boards takes; long cables want less.
BAUD = 460_800
# A port that resets with its chip (USB in the chip itself) is away for about a second.
_PORT_BACK_SECONDS = 8.0


@dataclass(frozen=True)
class Job:
    """What to write where. board: its name; chip: its chip's name; facts: its board.json.

    wants_frozen: such boards have room to play only if Phantom is in the image.
    firmware: a file or a URL. image: how the name of its usual image begins, if that matters.
    march: whose code it gets, by mpy-cross's name; None for its chip's, BYTECODE for nobody's.
    untried: it need not get into its Wi-Fi here. It isn't tried either if nobody watches.
    compiled: a folder for compiled firmware that is used again; None for one of this job alone.
    """

    port: str
    board: str
    chip: str
    facts: Mapping[str, Any]
    firmware: str
    sha256: str | None = None
    wants_frozen: bool = False
    image: str = ""
    identity: Identity = field(default_factory=Identity)
    baud: int = BAUD
    read_back: bool = False
    watch_seconds: float = 20.0
    untried: bool = False
    march: str | None = None
    compiled: Path | None = None


@dataclass
class Flashed:
    """What was done. started: what the board said, None if it wasn't waited for. address: its own
    in the Wi-Fi, None if that wasn't tried.
    """

    connected: Connected
    release: Release
    written: int = 0
    skipped: int = 0
    seconds: float = 0.0
    started: Started | None = None
    address: str | None = None

    @property
    def text(self) -> str:
        """How much was written, for people."""
        if not self.written:
            return f"all {megabytes(self.skipped)} were right already"
        kept = f"; {megabytes(self.skipped)} were right already" if self.skipped else ""
        return f"{megabytes(self.written)} written and verified{kept}"

    def remarks(self, job: Job) -> list[str]:
        """What to do next, for people."""
        odd = catalogue.remark(job.board, job.image, self.release.path.name)
        lines = [odd] if odd else []
        if job.wants_frozen and not self.release.frozen:
            lines.append(
                f"{job.board} has no PSRAM, and may lack the memory to play unless Phantom is in "
                "its image: docs/flashing.md"
            )
        if job.identity.wifi is None:
            lines.append("it has no Wi-Fi yet: phantom provision --ssid NAME")
        if job.identity.installation is not None:
            house = job.identity.installation["name"]
            lines.append(
                f"it belongs to {house}: `phantom status` shows it once it is in the Wi-Fi"
            )
        return lines

    def as_json(self, job: Job) -> dict[str, Any]:
        """For programs."""
        return {
            "port": job.port,
            "board": job.board,
            "chip": self.connected.title,
            "mac": self.connected.mac,
            "flash_bytes": self.connected.flash_bytes,
            "micropython": self.release.version,
            "phantom": VERSION,
            "id": job.identity.id or self.connected.mac.replace(":", ""),
            "name": job.identity.name,
            "written_bytes": self.written,
            "skipped_bytes": self.skipped,
            "seconds": round(self.seconds, 1),
            "address": self.address,
            "starts": None if self.started is None else self.started.heard,
            "code": None if self.started is None else self.started.code,
        }


def flash(job: Job, steps: Steps) -> Flashed:
    """Do it. Raises FlashFault."""
    began = time.monotonic()
    with steps.step("image") as step:
        path = _file(job, step.reach)
        image = release.load(path)
        if image.chip.name != job.chip:
            raise FlashFault(
                f"{path.name}: an image for {image.chip.title}, but {job.board} has "
                f"{_title(job.chip)}: take the image for that, or another --board"
            )
        holds = " and Phantom" if image.frozen else ""
        step.say(f"MicroPython {image.version}{holds} for {image.chip.title}")
    with steps.step("chip") as step:
        ports.check(job.port)
        connected = _connected(job, image)
        step.say(
            f"{connected.title}, {megabytes(connected.flash_bytes)} of flash, {connected.mac}"
        )
    done = Flashed(connected, image)
    with tempfile.TemporaryDirectory(prefix="phantom-flash-") as temporary:
        folder = Path(temporary)
        with steps.step("firmware") as step:
            start, end = plan.region(image, connected.flash_bytes)
            files = _files(job, image, job.compiled or folder)
            pieces = plan.pieces(image, _file_system(files, end - start), start)
            step.say(f"Phantom {VERSION}, {len(files)} files in {megabytes(end - start)}")
        with steps.step("write") as step:
            _write(job, image, pieces, folder, done, step.reach)
            step.say(done.text)
        if job.read_back:
            with steps.step("read back") as step:
                _read_back(job, image, pieces, folder, step.reach)
                step.say("every byte is what was written")
    if job.watch_seconds > 0:
        _start(job, done, steps)
    done.seconds = time.monotonic() - began
    return done


def _file(job: Job, say: Any) -> Path:
    if download.is_url(job.firmware):
        return download.fetch(job.firmware, job.sha256, say)
    return download.checked(Path(job.firmware).expanduser(), job.sha256)


def _title(chip: str) -> str:
    from boards.image.chips import CHIPS

    return CHIPS[chip].title if chip in CHIPS else chip


def _connected(job: Job, image: Release) -> Connected:
    connected = esptool.identify(job.port)
    if connected.chip is not image.chip:
        raise FlashFault(
            f"{job.port}: the chip is an {connected.title}, but {job.board} has an "
            f"{image.chip.title}: look which --board it is; nothing was written"
        )
    return connected


def _files(job: Job, image: Release, folder: Path) -> dict[str, object]:
    march = job.march or image.chip.march
    march = None if march == BYTECODE else march
    try:
        compiled = firmware.compile_firmware(folder / (march or BYTECODE), march)
        files: dict[str, object] = dict(firmware.files_of(compiled, march, job.board))
    except FirmwareError as fault:
        raise FlashFault(str(fault), UNDERWAY) from None
    except OSError as fault:
        raise FlashFault(f"{folder}: {fault.strerror}: make room there", UNDERWAY) from None
    return files | {"/board.json": dict(job.facts)} | job.identity.files()


def _file_system(files: Mapping[str, object], size: int) -> bytes:
    try:
        return filesystem.build(size, files)
    except FilesystemError as fault:
        raise FlashFault(f"not enough flash: {fault}: take a board with more") from None


def _write(
    job: Job, image: Release, pieces: list[Piece], folder: Path, done: Flashed, reach: Any
) -> None:
    total = sum(len(piece.data) for piece in pieces)

    def hear(piece: Piece, skipped: bool) -> None:
        if skipped:
            done.skipped += len(piece.data)
        else:
            done.written += len(piece.data)
        near(piece.end)

    def near(offset: int) -> None:
        behind = [piece for piece in pieces if piece.end <= offset]
        now = next((piece for piece in pieces if piece.offset <= offset < piece.end), None)
        count = sum(len(piece.data) for piece in behind)
        count += 0 if now is None else offset - now.offset
        reach(count / total, (now or pieces[-1]).what)

    reach(0.0, "")
    _await_port(job.port)
    esptool.write(job.port, image.chip, job.baud, pieces, folder, hear, near)


def _read_back(job: Job, image: Release, pieces: list[Piece], folder: Path, reach: Any) -> None:
    start, end = pieces[0].offset, pieces[-1].end
    _await_port(job.port)
    reach(0.0, "")
    found = esptool.read(job.port, image.chip, job.baud, start, end - start, folder / "back.bin")
    for piece in pieces:
        if found[piece.offset - start : piece.end - start] != piece.data:
            raise FlashFault(
                f"{job.port}: {piece.what} at {piece.offset:#x} reads back as something else: "
                "repeat; if it fails again, the flash or the cable is bad",
                UNDERWAY,
            )


def _start(job: Job, done: Flashed, steps: Steps) -> None:
    """See the board start, get into its Wi-Fi, and start anew. Raises FlashFault."""
    wifi = None if job.untried else job.identity.wifi
    with steps.step("start") as step:
        _await_port(job.port)
        started = starting.watch(job.port, job.watch_seconds, step.say)
        if started.trouble:
            raise FlashFault(f"{job.port}: {started.text}", UNDERWAY)
        tries = wifi is not None and started.heard
        step.say("it runs" if tries else started.text)
    if wifi is not None and tries:
        with steps.step("Wi-Fi") as step:
            done.address, started = joining.join(job.port, wifi, job.watch_seconds, step.say)
            step.say(f"{wifi.ssid} lets it in, at {done.address}")
        with steps.step("house") as step:
            step.say(started.text)  # with a code of this start
    done.started = started


def _await_port(port: str) -> None:
    """Wait for a port that went away with its chip's reset. Raises FlashFault."""
    end = time.monotonic() + _PORT_BACK_SECONDS
    while "://" not in port and not os.path.exists(port):  # noqa: PTH110 - a device, not a file
        if time.monotonic() > end:
            raise FlashFault(f"{port}: the port is gone: plug the board in again", UNDERWAY)
        time.sleep(0.1)

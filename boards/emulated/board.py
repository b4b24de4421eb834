"""One emulated board: its flash image, its lives, and what its DAC put out.

    board = EmulatedBoard("kitchen", workdir=Path("build/boards"), address="127.77.0.11")
    board.start()
    ...
    board.kill()      # power cut
    board.start()     # power again
    board.stop()
    board.captures    # one capture file a life

The process is the MicroPython unix port, unmodified, running `life.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from boards.emulated import profiles
from boards.emulated.flash_power import FlashPower
from boards.emulated.interpreter import micropython_path
from boards.emulated.lives import Lives
from boards.emulated.retained import Retained
from boards.emulated.rom import CHIPS, FlashFile
from boards.emulated.rom.mask_rom import MaskRom
from boards.emulated.serial.line import SerialLine
from boards.emulated.serial.rom import RomOnLine
from boards.emulated.stubs import resets
from boards.image import firmware, flash, partitions, standin

TICKS_WRAP = 1 << 30
# Names a file to which boards write when this machine kept them from running, as lines of two
# numbers: when that ended, and how long it was, ns of the monotonic clock.
STALLS = "PHANTOM_STALLS"
_APPLICATION_BYTES = 32 * 1024  # of the stand-in for MicroPython: enough for it to be checked
_ESPRESSIF = bytes.fromhex("7cdfa1")
_SUBTYPE_FAT = 0x81  # of the partition that MicroPython registers, whatever is in it

Launch = Callable[..., "subprocess.Popen[bytes]"]


class EmulatedBoard:
    """A board named `name` (its device id), reachable at `address`.

    `profile` is a board of the catalogue, or a chip for its usual board; see `profiles`.
    `ppm` is its crystal's error; `ticks_start` its microsecond counter at power-on, by default
    just before the wrap at 2**30 for some seeds and anywhere for others. `launch` starts the
    process (default `subprocess.Popen`), so that it can run in a network namespace. `device` adds
    to the board's device.json, `files` to its flash (a `main.py` of a test's own, say).
    `installation`, {"id", "key", "name"} in hex, is the one it belongs to; without, it is new.
    `flash_erase_us` is how long an erase stalls the board, by default as the profile says. Without
    `control_fitted`, nothing answers where the board's codec or amplifier is behind I2C.
    With `serial` it has a port, and a REPL behind main.py; without, a life ends with main.py.
    `wifis`, {name: password}, are those in reach; by default it gets into any.
    A `blank` one's flash is erased: its ROM waits at the port for tools to write it.
    `compiled` is the folder that its firmware is, or was, compiled into, by default `workdir`.
    """

    def __init__(
        self,
        name: str,
        workdir: Path,
        address: str = "127.77.0.11",
        profile: str = "esp32",
        ppm: float = 0.0,
        ticks_start: int | None = None,
        room: str | None = None,
        launch: Launch | None = None,
        seed: int = 0,
        device: dict[str, Any] | None = None,
        dac_channels: int | None = None,
        files: dict[str, Any] | None = None,
        installation: dict[str, str] | None = None,
        flash_erase_us: int | None = None,
        control_fitted: bool = True,
        serial: bool = False,
        wifis: dict[str, str] | None = None,
        blank: bool = False,
        compiled: Path | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self.profile = profiles.profile(profile)
        self.ppm = ppm
        self._random = random.Random(f"{seed}/{name}")
        self._ticks_start = ticks_start
        self._launch: Launch = launch or subprocess.Popen
        self.workdir = workdir / name
        self.workdir.mkdir(parents=True, exist_ok=True)
        self._image = self.workdir / "flash.bin"
        march = firmware.host_architecture() or "bytecode"
        self._compiled = (compiled or workdir) / f"firmware-{march}"
        self._room = room or name
        self._device = device or {}
        self._dac_channels = dac_channels
        self._control_fitted = control_fitted
        self._files = files or {}
        if installation:
            self._files = {"installation.json": installation} | self._files
        self._erase_us = self.profile.flash_erase_us if flash_erase_us is None else flash_erase_us
        self.retained = Retained(self.workdir / "retained.bin")
        self.flash_power = FlashPower(self.workdir)
        self._lives = Lives(self._begin, self.retained, self.flash_power, self._remark)
        self._mac = _mac_of(name)
        self._flashed = blank
        if blank and not serial:
            raise ValueError(f"board {name}: a blank one is of no use without serial=True")
        if blank:
            FlashFile.blank(self._image)
        self._serial = serial
        self._wifis = wifis
        self._line: SerialLine | None = None
        self.raw_paste = True  # whether the REPL offers raw paste mode
        self.captures: list[Path] = []
        self.log_path = self.workdir / "serial.log"

    # Power

    def start(self) -> None:
        """Power on. The flash is written the first time; later lives find it as it was left."""
        if not self._flashed:
            self.flash()
        if self._serial:
            self._opened_line()
        self._lives.power_on()

    def kill(self) -> None:
        """Cut the power: nothing is flushed, nobody is told."""
        self._lives.power_off(signal.SIGKILL)

    def reset(self) -> None:
        """Pull the chip's EN pin, as a reset button does."""
        self._lives.reset(resets.PWRON_RESET)

    def stop(self) -> None:
        """End the emulation of this board; its port goes."""
        self._lives.power_off(signal.SIGTERM)
        if self._line is not None:
            self._line.close()
            self._line = self._lives.rom = None

    def wedge_dac(self) -> None:
        """Have the I2S peripheral take no more until the chip is reset: DMA that has stopped."""
        self._wedge.write_bytes(b"1")

    @property
    def _wedge(self) -> Path:
        return self.workdir / "dac-wedged"

    @property
    def alive(self) -> bool:
        """Whether it has power and runs, or is about to again after a reset."""
        return self._lives.powered

    @property
    def pid(self) -> int | None:
        """The interpreter's process id while it runs."""
        return self._lives.pid

    @property
    def port(self) -> str:
        """The serial port, for mpremote and its like. It stays over resets and cuts of power."""
        return self._opened_line().port

    def _opened_line(self) -> SerialLine:
        if not self._serial:
            raise RuntimeError(f"board {self.name} has no serial port: make it with serial=True")
        if self._line is None:
            self._line = SerialLine(self.log_path)
            rom = MaskRom(CHIPS[self.profile.kind.chip.name], FlashFile(self._image), self._mac)
            self._lives.rom = RomOnLine(self._line, rom, self._lives.stop_for_a_tool)
        return self._line

    @property
    def capture_path(self) -> Path:
        """The capture of the newest life."""
        return self.captures[-1]

    def log(self) -> str:
        """What the board has printed on its serial line so far."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_bytes().decode(errors="replace").replace("\r\n", "\n")

    # Flash

    def flash(self) -> None:
        """Write the flash image: firmware, board facts, identity."""
        self._flashed = True
        march = firmware.host_architecture()
        compiled = firmware.compile_firmware(self._compiled, march)
        device = {"id": self.name, "name": self._room, "wifi": {"ssid": "emulated", "key": ""}}
        files = {"board.json": self._board_facts(), "device.json": device | self._device}
        flash.build(self._image, firmware.files_of(compiled, march) | files | self._files)
        if self._serial:
            self._write_micropython()

    def _write_micropython(self) -> None:
        # The ROM boots nothing else; what runs is the interpreter of this machine all the same.
        name = self.profile.kind.chip.name
        with self._image.open("r+b") as image:
            image.seek(CHIPS[name].bootloader_offset)
            image.write(standin.micropython(name, application_bytes=_APPLICATION_BYTES))

    def edit_flash(self, files: dict[str, Any]) -> None:
        """Write files into the flash of a board that is off; None deletes one."""
        if self.alive:
            raise RuntimeError(f"board {self.name} runs: cut its power before its flash is edited")
        flash.edit(self._image, files)

    def flash_file(self, name: str) -> bytes | None:
        """What a file in the flash of a board holds; None if it has none of that name."""
        return flash.read(self._image, name)

    def _board_facts(self) -> dict[str, Any]:
        facts = self.profile.kind.facts()
        if self._dac_channels is not None:
            facts["dac"]["channels"] = self._dac_channels
        return facts

    # Lives

    def _facts(self, reset_cause: int, raw_repl: bool) -> dict[str, Any]:
        p = self.profile
        table, (vfs_start, vfs_end) = self._regions()
        start = self._ticks_start
        if start is None:
            # Half the boards see their counter wrap within the first half minute.
            start = TICKS_WRAP - self._random.randrange(2_000_000, 30_000_000)
            if self._random.random() < 0.5:
                start = self._random.randrange(TICKS_WRAP)
        return {
            "name": self.name,
            "address": self.address,
            "ppb": round(self.ppm * 1000),
            "ticks_start": start,
            "mac": self._mac.hex(),
            "capture": str(self.captures[-1]),
            "wedge": str(self._wedge.absolute()),
            "log": str(self.log_path.absolute()),
            "stalls": os.environ.get(STALLS, ""),
            "retained": str(self.retained.path),
            "flash": str(self._image),
            "flash_journal": str(self.flash_power.journal),
            "flash_cut": str(self.flash_power.cut),
            "flash_operations": self.flash_power.operations,
            "vfs_start": vfs_start,
            "vfs_end": vfs_end,
            "partitions": table,
            "reset_cause": reset_cause,
            "rssi": -52,
            "wifis": self._wifis,
            "loop_us": p.loop_us,
            "gc_us": p.gc_us,
            "flash_erase_us": self._erase_us,
            "dac_delay_us": p.kind.dac.delay_us,
            "control": p.kind.dac.control.facts() if p.kind.dac.control else None,
            "control_fitted": self._control_fitted,
            "dma_bytes": p.dma_bytes,
            "i2s_ports": p.kind.i2s_ports,
            "max_hz": p.kind.max_hz,
            "terminal": self._opened_line().terminal if self._serial else "",
            "repl": "raw" if raw_repl else "friendly",
            "raw_paste": self.raw_paste,
            "machine": p.machine,
            "build": p.build,
        }

    def _regions(self) -> tuple[list[tuple[int, int, int, int, str, bool]], tuple[int, int]]:
        """The partitions as `esp32.Partition.info()` has them, and where the file system is."""
        content = self._image.read_bytes()
        start, end = flash.region(content)
        found = partitions.table_of(content)
        entries = [
            (p.type, p.subtype, p.offset, p.size, p.label, bool(p.flags & 1)) for p in found
        ]
        if all(p.label != "vfs" for p in found):
            # MicroPython registers what is in no table as one more (ports/esp32/main.c).
            entries.append((partitions.TYPE_DATA, _SUBTYPE_FAT, start, end - start, "vfs", False))
        return entries, (start, end)

    def _begin(self, reset_cause: int, raw_repl: bool) -> subprocess.Popen[bytes]:
        self.captures.append((self.workdir / f"capture-{len(self.captures) + 1}.bin").absolute())
        self.captures[-1].write_bytes(b"")
        self._wedge.write_bytes(b"")
        if self._line is not None and reset_cause != resets.SOFT_RESET:
            self._line.reset()
        facts = self.workdir / "facts.json"
        facts.write_text(json.dumps(self._facts(reset_cause, raw_repl)))
        life = Path(__file__).with_name("life.py")
        heap = self.profile.heap_argument + (profiles.REPL_BYTES if self._serial else 0)
        argv = [str(micropython_path()), "-X", f"heapsize={heap}", str(life)]
        with self.log_path.open("ab") as log:
            return self._launch(
                [*argv, str(facts.absolute())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={"PATH": os.environ.get("PATH", ""), "MICROPYPATH": ".frozen"},
            )

    def _remark(self, text: str) -> None:
        with self.log_path.open("a") as log:
            log.write(f"[emulator] {text}\n")


def _mac_of(name: str) -> bytes:
    """A MAC address for a board: of Espressif's, so that tools know whose it is."""
    return _ESPRESSIF + hashlib.sha256(name.encode()).digest()[:3]

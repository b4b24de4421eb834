"""Bundles from the firmware's sources: a manifest, and behind it what it names, compiled.

The file's form is told in `storagebox.coordinator.updates.bundle`, which reads it.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from boards.image import firmware, manifest
from phantom.manifest import MAX_TOTAL_BYTES
from storagebox.coordinator.updates.bundle import SUFFIX

# What mpy-cross compiles for and boards have; the rest of its list has never run Phantom, and
# without an architecture it compiles no kernels.
ARCHITECTURES = ("xtensawin", "rv32imc", "x64")
_VERSION = re.compile(r'^VERSION = "([0-9A-Za-z.+-]{1,64})"$', re.MULTILINE)


class BundlingError(RuntimeError):
    """No bundle can be made; one line for people."""


def sources(folder: Path) -> Path:
    """The package `phantom` of boards in a folder: itself, or firmware/ or a checkout.

    Raises BundlingError.
    """
    for package in (folder, folder / "phantom", folder / "firmware" / "phantom"):
        if (package / "device.py").exists() and (package / "__init__.py").exists():
            return package
    raise BundlingError(
        f"{folder}: no firmware in it: name a checkout of Phantom, or its folder firmware"
    )


def version_of(package: Path) -> str:
    """The version that a package of sources says it is. Raises BundlingError."""
    found = _VERSION.search((package / "__init__.py").read_text(encoding="utf-8"))
    if found is None:
        raise BundlingError(f'{package / "__init__.py"}: no line VERSION = "…" in it')
    return found.group(1)


def build(arch: str, into: Path, package: Path | None = None) -> Path:
    """Make the bundle of `package`, by default what is installed, for an architecture.

    into: a file, or a folder that gets one named after its version. Raises BundlingError.
    """
    if arch not in ARCHITECTURES:
        raise BundlingError(f"--arch {arch}: choose of {', '.join(ARCHITECTURES)}")
    package = package or firmware.installed_package()
    version = version_of(package)
    with tempfile.TemporaryDirectory(prefix="phantom-bundle-") as scratch:
        try:
            compiled = firmware.compile_firmware(Path(scratch), arch, package)
        except firmware.FirmwareError as fault:
            raise BundlingError(str(fault)) from None
        files = firmware.slot_files(compiled)
    size = sum(map(len, files.values()))
    if size > MAX_TOTAL_BYTES:
        raise BundlingError(
            f"{package}: {size} bytes of code are too many: a board's slot holds {MAX_TOTAL_BYTES}"
        )
    path = into / f"phantom-{version}-{arch}{SUFFIX}" if into.is_dir() else into
    try:
        content = b"".join(files[name] for name in sorted(files))  # as a manifest lists them
        path.write_bytes(manifest.write(files, version, arch) + content)
    except OSError as fault:
        raise BundlingError(f"{path}: {fault.strerror}") from None
    return path

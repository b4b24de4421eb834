"""Bundles of the boards' code as it might be next: another version, broken or changed all over."""

from __future__ import annotations

import shutil
from pathlib import Path

from boards.image import firmware
from phantom import VERSION
from phantom.manifest import BYTECODE
from tools.update import bundling


def bundle_of(
    folder: Path, version: str, *, anew: bool = False, **changes: tuple[str, str]
) -> str:
    """A bundle of this firmware as another version, for boards that run on this machine; its path.

    changes: of a module's text, what is replaced by what. anew: no module is what it was, so that
    all of it has to be sent.
    """
    package = folder / f"sources-{version}" / "phantom"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(firmware.installed_package(), package, ignore=ignored)
    changes = {"__init__": (f'VERSION = "{VERSION}"', f'VERSION = "{version}"')} | changes
    for module, (old, new) in changes.items():
        path = package / f"{module}.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
    if anew:
        for path in package.rglob("*.py"):
            path.write_text(f"{path.read_text()}\n_RELEASE = {version!r}\n")
    return str(bundling.build(firmware.host_architecture() or BYTECODE, folder, package))

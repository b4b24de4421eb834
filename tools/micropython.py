"""Where the MicroPython that runs the emulated boards is, and how it gets onto a machine.

It is the unix port as the distribution packages it, unmodified. One that is installed comes
first. Otherwise its packages, with every library they need, are unpacked into a folder and run
there with their own loader: so Debian 12 runs Debian 13's interpreter with no root and no change.
Standard library only: set-up runs this before anything is installed.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from boards.emulated import interpreter
from boards.emulated.interpreter import MINIMUM, REMEDY, VARIABLE, InterpreterMissing, state_folder
from tools.apt import PrivateApt, Release, SetupFault, Source, own_sources, this_release, unpack

# Releases whose own package is too old or missing, so that asking them would only cost time.
_TOO_OLD = {"bullseye", "bookworm", "focal", "jammy", "noble"}
# Releases of the same family that have it, best first; long-lived ones only.
_NEWER = {"debian": ("trixie",), "ubuntu": ("resolute", "questing")}
# What the firmware leans on: littlefs images and the version itself.
_PROBE = "import sys, vfs; vfs.VfsLfs2; print('%d.%d' % sys.implementation.version[:2])"


def micropython_path(state: Path | None = None) -> Path:
    """Where it is, for set-up: as boards.emulated.interpreter says, faults as SetupFault."""
    try:
        return interpreter.micropython_path(state)
    except InterpreterMissing as fault:
        raise SetupFault(str(fault)) from fault


def version_of(program: Path) -> tuple[int, int] | None:
    """(major, minor) of an interpreter that can run boards; None for any other program."""
    try:
        done = subprocess.run(
            [str(program), "-c", _PROBE], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    shown = re.fullmatch(r"(\d+)\.(\d+)", done.stdout.strip())
    return (int(shown[1]), int(shown[2])) if shown else None


def obtain(
    state: Path, cache: Path, say: Callable[[str], None], log: Callable[[str], object]
) -> Path:
    """See that there is an interpreter, fetching its packages if need be; returns its path.

    `say` is told each step in a few words, `log` everything. Packages are kept in `cache`, so a
    second tree, or this one cleaned, needs no network. Raises SetupFault.
    """
    if os.environ.get(VARIABLE):
        return _checked(micropython_path(state))
    folder = state / "micropython"
    made = folder / "micropython"
    if made.exists() and _good(made):
        return made
    shutil.rmtree(folder, ignore_errors=True)
    found = shutil.which("micropython")
    if found and _good(Path(found)):
        return Path(found)
    release = this_release()
    archives = _kept_archives(cache, release) or _fetch(cache, release, say, log)
    say("unpacking")
    half_made = folder.with_name("micropython.new")
    shutil.rmtree(half_made, ignore_errors=True)
    unpack(archives, half_made / "root")
    half_made.rename(folder)
    _write_launcher(made, folder / "root")
    return _checked(made)


def main() -> int:
    """Fetch MicroPython for an installed Phantom, which has no `make setup`; prints its path."""
    state = state_folder()
    state.mkdir(parents=True, exist_ok=True)
    try:
        with (state / "setup.log").open("w") as log:
            print(obtain(state, state, lambda text: print(f"{text} …"), log.write))
    except (SetupFault, OSError) as fault:
        print(f"phantom: {fault}", file=sys.stderr)
        return 2
    return 0


def _good(program: Path) -> bool:
    version = version_of(program)
    return version is not None and version >= MINIMUM


def _checked(program: Path) -> Path:
    version = version_of(program)
    if version is None:
        raise SetupFault(f"{program} doesn't run as MicroPython with littlefs: {REMEDY}")
    if version < MINIMUM:
        raise SetupFault(f"{program} is MicroPython {version[0]}.{version[1]}: {REMEDY}")
    return program


def _archive_folder(cache: Path, release: Release) -> Path:
    return cache / f"micropython-{release.codename}-{os.uname().machine}"


def _kept_archives(cache: Path, release: Release) -> list[Path]:
    """The packages of an earlier, completed fetch; empty when there was none."""
    folder = _archive_folder(cache, release)
    try:
        kept = [folder / name for name in (folder / "complete").read_text().split()]
    except OSError:
        return []
    return kept if all(path.exists() for path in kept) else []


def _fetch(
    cache: Path, release: Release, say: Callable[[str], None], log: Callable[[str], object]
) -> list[Path]:
    faults: list[str] = []
    for source in _sources(release):
        say(f"asking {release.family.title()} {source.suite}")
        apt = PrivateApt(cache / "apt" / source.suite, source, log)
        try:
            apt.update()
            version = apt.version("micropython")
            if not version or not _recent(version):
                faults.append(f"{source.suite} has {version or 'none'}")
                continue
            say(f"fetching {version} from {source.suite}")
            archives = apt.download(["micropython"], dependencies=True)
        except SetupFault as fault:
            faults.append(str(fault))
            continue
        folder = _archive_folder(cache, release)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        kept = [Path(shutil.copy(archive, folder)) for archive in archives]
        (folder / "complete").write_text("\n".join(path.name for path in kept))
        shutil.rmtree(apt.folder, ignore_errors=True)
        return kept
    raise SetupFault(f"MicroPython can't be fetched ({'; '.join(faults)}): {REMEDY}")


def suites_of(release: Release) -> list[str]:
    """Which releases of the distribution to ask for the package, in order."""
    own = () if release.codename in _TOO_OLD else (release.codename,)
    return list(dict.fromkeys((*own, *_NEWER.get(release.family, ()))))


def _sources(release: Release) -> list[Source]:
    try:
        return [source for suite in suites_of(release) for source in own_sources(release, suite)]
    except SetupFault as fault:
        raise SetupFault(f"{fault}: {REMEDY}") from fault


def _recent(version: str) -> bool:
    numbers = re.match(r"(?:\d+:)?(\d+)\.(\d+)", version)
    return bool(numbers) and (int(numbers[1]), int(numbers[2])) >= MINIMUM


def _write_launcher(launcher: Path, root: Path) -> None:
    """A program that runs the unpacked interpreter with the loader and libraries it came with."""
    program = root / "usr/bin/micropython"
    loader = next(
        (path for top in ("", "usr") if (path := root / top / _loader(program)).exists()), None
    )
    if loader is None:
        raise SetupFault(f"the unpacked MicroPython has no loader {_loader(program)}: {REMEDY}")
    libraries = sorted({str(path.parent) for path in root.rglob("lib*.so.*")})
    command = [str(loader), "--library-path", ":".join(libraries), str(program)]
    launcher.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    launcher.chmod(0o755)


def _loader(program: Path) -> str:
    """The loader that an ELF program names as its interpreter, without the leading slash."""
    found = re.search(rb"/(lib[\w./-]*/ld[\w.-]*\.so\.\d+)\0", program.read_bytes())
    if not found:
        raise SetupFault(f"{program} names no loader: {REMEDY}")
    return found[1].decode()


if __name__ == "__main__":
    sys.exit(main())

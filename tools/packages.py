"""The tree's Python environment: made with what a fresh Debian or Ubuntu has, filled as locked.

Every package comes with its hash in a lock file, is downloaded once into a cache folder, and is
installed from there with no index asked: so a complete cache needs no network. A Python without
pip or ensurepip (python3-venv isn't installed) borrows the distribution's pip without root.
Standard library only: set-up runs this before anything is installed.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.apt import PrivateApt, SetupFault, own_sources, this_release, unpack
from tools.progress import Progress

# The only locked packages published as sources alone (pure Python). All others must come as
# wheels, so that no compiler is needed and nothing unlocked is fetched to build with.
SOURCE_ONLY = ("esptool", "python-consul2")

# A user's settings that would send packages elsewhere than into this environment.
_MISLEADING = {
    *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_NO_BINARY", "PIP_ONLY_BINARY"),
    *("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"),
}

_UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|ConnectionError|"
    r"Failed to establish|name resolution|Network is unreachable|Connection refused"
)
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# In the environment while packages go in: found later, it tells of an interruption.
HALF_MADE = "phantom-installing"
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
# The Python below an environment: this may be running in the very one that is to be made afresh.
_BASE_PYTHON = Path(sys.executable).resolve()


@dataclass
class Count:
    """How far pip has come: packages done of the total, and what is done to them."""

    doing: str
    total: int
    done: int = 0


class Environment:
    """`.venv` of the tree `root`, filled from `cache`."""

    def __init__(self, root: Path, cache: Path, progress: Progress) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self._cache = cache
        python = f"cp{sys.version_info[0]}{sys.version_info[1]}"
        self.wheels = cache / "wheels" / f"{python}-{os.uname().machine}"
        self._progress = progress
        self._installing = self.folder / HALF_MADE
        self._pip_command: list[str] = []

    def make(self) -> None:
        """Make the environment; one that was interrupted while packages went in is made afresh."""
        if self.folder.exists() and (self._installing.exists() or not self._works()):
            shutil.rmtree(self.folder)
        if not self.folder.exists():
            # Without pip: that part fails where python3-venv isn't installed, and pip comes next.
            made = [str(_BASE_PYTHON), "-m", "venv", "--without-pip", str(self.folder)]
            self._run(made, "the environment can't be made")
        self._installing.touch()
        self._pip_command = self._find_pip()
        self._installing.unlink()

    def install(self, lock: Path) -> str:
        """Install what a lock file names, all of it by hash; returns a remark on how much.

        install_project comes next: until then the environment counts as half made.
        """
        binary, source = split_lock(lock.read_text())
        self.download(binary, "--only-binary=:all:")
        self._installing.touch()
        self._install(binary, "--only-binary=:all:")
        if source:
            # Built by the locked build tools that have just been installed.
            self.download(source, "--no-build-isolation")
            self._install(source, "--no-build-isolation")
        return f"{len(binary) + len(source)} packages"

    def install_project(self) -> None:
        """Install the tree itself, editable: changes show without another set-up."""
        quiet = ["--no-deps", "--no-index", "--no-build-isolation", "--force-reinstall"]
        what = ["install", *quiet, "--editable", str(self.root)]
        self._installing.touch()
        self._pip(what, "the project can't be installed")
        self._installing.unlink()

    def install_aside(self, lock: Path, target: Path) -> None:
        """Install a lock file's packages into `target`, out of the environment's sight."""
        binary, source = split_lock(lock.read_text())
        half_made = target.with_name(target.name + ".new")
        shutil.rmtree(half_made, ignore_errors=True)
        for requirements, how in (
            (binary, "--only-binary=:all:"),
            (source, "--no-build-isolation"),
        ):
            if requirements:
                self.download(requirements, how)
                self._install(requirements, how, f"--target={half_made}")
        shutil.rmtree(target, ignore_errors=True)
        half_made.rename(target)

    def _works(self) -> bool:
        """Whether its Python runs and is the wanted one: its base may have been upgraded."""
        try:
            done = subprocess.run(
                [str(self.python), "-c", "import sys; print(sys.prefix, *sys.version_info[:2])"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except OSError:
            return False
        return done.stdout.split("\n")[0] == f"{self.folder} %d %d" % sys.version_info[:2]

    def _find_pip(self) -> list[str]:
        """How to run a pip on this environment: its own if it can have one, else one borrowed."""
        own = [str(self.python), "-m", "pip"]
        if any(self.folder.glob("lib/python3*/site-packages/pip/__main__.py")):
            return own
        if importlib.util.find_spec("ensurepip") and self._succeeds(
            str(self.python), "-m", "ensurepip", "--default-pip"
        ):
            return own
        borrowed = [str(_BASE_PYTHON), "-m", "pip", "--python", str(self.python)]
        if importlib.util.find_spec("pip") and self._succeeds(*borrowed, "--version"):
            return borrowed
        self._unpack_pip(self._distribution_pip())
        return own

    def _succeeds(self, *command: str) -> bool:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self._progress.log(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.returncode == 0

    def _distribution_pip(self) -> Path:
        """pip's wheel as the distribution packages it, fetched without root, kept in the cache."""
        root = self._cache / "pip-whl"
        if not list(root.rglob("pip-*.whl")):
            self._progress.say("fetching pip")
            try:
                self._fetch_pip(root)
            except SetupFault as fault:
                raise SetupFault(
                    f"this Python has no pip, and none can be fetched ({fault}): "
                    "check the network, or install python3-venv"
                ) from fault
        return max(root.rglob("pip-*.whl"))

    def _fetch_pip(self, root: Path) -> None:
        release = this_release()
        source = own_sources(release, release.codename)[0]
        apt = PrivateApt(self._cache / "apt" / "pip", source, self._progress.log)
        apt.update()
        half_made = root.with_name("pip-whl.new")
        shutil.rmtree(half_made, ignore_errors=True)
        unpack(apt.download(["python3-pip-whl"], dependencies=False), half_made)
        half_made.rename(root)
        shutil.rmtree(apt.folder)

    def _unpack_pip(self, wheel: Path) -> None:
        """Put pip into the environment; a pure wheel is laid out as it is installed."""
        packages = next(self.folder.glob("lib/python3*/site-packages"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
        if not _CERTIFICATES.exists():
            # Debian's pip fails where ca-certificates isn't installed; the list in it will do.
            where = packages / "pip" / "_vendor" / "certifi"
            told = (where / "core.py").read_text()
            stands_in = told.replace(str(_CERTIFICATES), str(where / "cacert.pem"))
            (where / "core.py").write_text(stands_in)

    def download(self, requirements: list[str], *how: str) -> None:
        """Have every package in the cache; the index is asked only for what isn't there."""
        self.wheels.mkdir(parents=True, exist_ok=True)
        kept = {
            hashlib.sha256(file.read_bytes()).hexdigest()
            for file in self.wheels.iterdir()
            if file.is_file()
        }
        lacking = [each for each in requirements if kept.isdisjoint(_HASH.findall(each))]
        if not lacking:
            return
        index_cache = self._cache / "pip"
        where = [f"--dest={self.wheels}", f"--cache-dir={index_cache}"]
        self._pip(
            ["download", "--no-deps", "--require-hashes", "--retries=2", *how, *where],
            "the packages can't be downloaded",
            lacking,
            "fetching",
        )
        shutil.rmtree(index_cache, ignore_errors=True)  # the wheels are kept; not twice

    def _install(self, requirements: list[str], *how: str) -> None:
        where = ["--no-index", f"--find-links={self.wheels}"]
        self._pip(
            ["install", "--no-deps", "--require-hashes", *how, *where],
            "the packages can't be installed",
            requirements,
            "installing",
        )

    def _pip(
        self,
        arguments: list[str],
        fault: str,
        requirements: Sequence[str] = (),
        doing: str = "installing",
    ) -> None:
        """Run pip on this environment; `fault` begins what is said when it fails."""
        command = [*self._pip_command, "--disable-pip-version-check", "--no-input", *arguments]
        if requirements:
            listed = self.root / "build" / "requirements.txt"
            listed.write_text("\n".join(requirements) + "\n")
            command += ["--requirement", str(listed)]
        self._progress.say(doing)
        self._run([*command, "--progress-bar=off"], fault, Count(doing, len(requirements)))

    def _run(self, command: list[str], fault: str, counting: Count | None = None) -> None:
        """Run a tool with its output in the log, telling progress how far it has come."""
        self._progress.log("$ " + " ".join(command))
        env = {name: value for name, value in os.environ.items() if name not in _MISLEADING}
        env |= {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
        said: list[str] = []
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env=env, cwd=self.root,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                self._progress.log(line)
                if counting:
                    self._tell(line, counting)
        if process.returncode:
            raise SetupFault(self._explain(fault, "".join(said)))

    def _tell(self, line: str, counting: Count) -> None:
        """Show what a line of pip's output says of how far it is."""
        begun = re.match(r"(?:Collecting|Processing) (?:\S*/)?([\w.]+(?:-[A-Za-z]\w*)*)", line)
        if begun:
            counting.done += 1
            self._progress.say(
                f"{counting.doing} {begun[1]} ({counting.done} of {counting.total})"
            )
        elif line.startswith("Installing collected packages"):
            self._progress.say("unpacking")

    def _explain(self, fault: str, said: str) -> str:
        if "No space left" in said:
            return f"{fault}: the disk is full: free about 1 GB"
        if "CERTIFICATE_VERIFY_FAILED" in said or "TLS CA certificate bundle" in said:
            return (
                f"{fault}: the index's certificate isn't trusted here: install ca-certificates, "
                "or name your network's own with PIP_CERT=/path/to/it"
            )
        if _UNREACHABLE.search(said):
            return f"{fault}: the index can't be reached: check the network, then run again"
        errors = re.findall(r"^(?:ERROR|error): (.+)", said, re.MULTILINE)
        reason = errors[-1] if errors else (said.strip().splitlines() or ["no reason given"])[-1]
        return f"{fault}: {reason} (all that was said: {self._progress.log_path})"


def split_lock(text: str) -> tuple[list[str], list[str]]:
    """A lock file's requirements, hashes and all: (those that come as wheels, as sources)."""
    remarks = re.compile(r"^\s*#.*\n", re.MULTILINE)
    entries = re.split(r"\n(?=\S)", remarks.sub("", text).strip())
    entries = [entry for entry in entries if entry and "sys_platform == 'win32'" not in entry]
    source = [entry for entry in entries if entry.split("==")[0] in SOURCE_ONLY]
    return [entry for entry in entries if entry not in source], source

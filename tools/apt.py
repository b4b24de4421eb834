"""Debian and Ubuntu packages fetched as anyone, into a folder, with nothing on the system changed.

apt does all the work (mirror choice, signatures, dependencies, resuming) on lists, caches and a
configuration of its own under one folder, so root isn't needed and the machine's lists may be
absent, as they are in a fresh container. The mirror is the one that the machine's apt is set up
with. Standard library only: set-up runs this before anything is installed.
"""

import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

# apt's own default is 30 s and three tries per address; a person waits for this.
_TIMEOUT_S = 20
# Aliases under which a source list may name the release that os-release calls by its codename.
_SUITE_ALIASES = ("stable", "oldstable", "testing", "unstable", "sid")
_KEYRINGS = {
    "debian": ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg"),
    "ubuntu": ("ubuntu-archive-keyring.gpg",),
}
_COMPONENTS = {"debian": ("main",), "ubuntu": ("main", "universe")}

_CONFIG = """\
#clear APT::Update;
#clear DPkg;
#clear Acquire::IndexTargets;
Acquire::IndexTargets::deb::Packages {{
  MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
  ShortDescription "Packages";
  Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
  Optional "no";
}};
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "{timeout}";
Acquire::https::Timeout "{timeout}";
APT::Sandbox::User "";
Debug::NoLocking "1";
Dir::Cache "{folder}";
Dir::Cache::archives "{folder}/archives";
Dir::Cache::pkgcache "{folder}/pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "{folder}/lists";
Dir::State::extended_states "{folder}/extended_states";
Dir::State::status "{folder}/status";
"""


class SetupFault(Exception):
    """What stops set-up, in one line: the thing, the fault and the remedy."""


@dataclass(frozen=True)
class Release:
    """The distribution this machine runs: `family` is debian, ubuntu or '' (neither)."""

    family: str
    codename: str
    name: str


@dataclass(frozen=True)
class Source:
    """One line of a source list: a mirror, a suite and what to trust it by."""

    uri: str
    suite: str
    components: tuple[str, ...]
    architecture: str
    keyring: Path | None

    def line(self) -> str:
        """As sources.list(5) writes it."""
        options = f"arch={self.architecture}"
        if self.keyring:
            options += f" signed-by={self.keyring}"
        return f"deb [{options}] {self.uri} {self.suite} {' '.join(self.components)}\n"


def this_release(os_release: dict[str, str] | None = None) -> Release:
    """Read from os-release(5); a derivative counts as the family that it names as its like."""
    if os_release is None:
        try:
            os_release = platform.freedesktop_os_release()
        except OSError:
            os_release = {}
    likes = [os_release.get("ID", ""), *os_release.get("ID_LIKE", "").split()]
    family = next((like for like in ("ubuntu", "debian") if like in likes), "")
    own = os_release.get("VERSION_CODENAME", "")
    codename = os_release.get(f"{family.upper()}_CODENAME", "") or own
    return Release(family, codename, os_release.get("PRETTY_NAME", "this system"))


def mirrors(update_uris: str, codename: str) -> list[str]:
    """The addresses that carry the release itself, by what `apt-get update --print-uris` said.

    That output needs no lists. Third-party repositories may use the same codename,
    so there can be several: the likeliest, those with a component `main`, come first.
    """
    found: dict[str, bool] = {}
    for uri, suite, rest in re.findall(r"'(\S+?)/dists/([^/\s]+)/(\S+)'", update_uris):
        if suite == codename or suite in _SUITE_ALIASES:
            found[uri] = found.get(uri, False) or rest.startswith("main/")
    return sorted(found, key=lambda uri: not found[uri])


def own_sources(release: Release, suite: str) -> list[Source]:
    """Where `suite` of this machine's distribution can be had, as its own apt is set up.

    Raises SetupFault where there is no apt or it is set up with no mirror of the distribution.
    """
    if not release.family:
        raise SetupFault(f"{release.name} is neither Debian nor Ubuntu")
    try:
        shown = _said("apt-get", "update", "--print-uris")
        architecture = _said("dpkg", "--print-architecture").strip()
    except OSError as fault:
        raise SetupFault(f"{release.name} has no working apt-get ({fault})") from fault
    names = (Path("/usr/share/keyrings") / name for name in _KEYRINGS[release.family])
    keyring = next((path for path in names if path.exists()), None)
    found = mirrors(shown, release.codename)
    if not found:
        raise SetupFault(f"apt on {release.name} is set up with no mirror for {release.codename}")
    components = _COMPONENTS[release.family]
    return [Source(uri, suite, components, architecture, keyring) for uri in found]


class PrivateApt:
    """apt on one source, with lists, cache and status in `folder` (made when missing)."""

    def __init__(self, folder: Path, source: Source, log: Callable[[str], object]) -> None:
        self.folder = folder.resolve()
        self.source = source
        self._log = log
        for part in ("lists/partial", "archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        # An empty status makes apt resolve every dependency, also those that are installed here.
        (self.folder / "status").write_text("")
        (self.folder / "sources.list").write_text(source.line())
        self._config = self.folder / "apt.conf"
        self._config.write_text(_CONFIG.format(folder=self.folder, timeout=_TIMEOUT_S))

    def update(self) -> None:
        """Fetch the suite's lists; SetupFault when the mirror can't be reached or trusted."""
        self._run("apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any")

    def version(self, package: str) -> str | None:
        """The suite's version of a package, None where it has none."""
        shown = self._run("apt-cache", "policy", package)
        found = re.search(r"Candidate: (\S+)", shown)
        return found[1] if found and found[1] != "(none)" else None

    def download(self, packages: Iterable[str], *, dependencies: bool) -> list[Path]:
        """Fetch packages, on demand with all that they depend on; returns the .deb files."""
        archives = self.folder / "archives"
        if dependencies:
            ask = ["-qq", "-y", "--no-install-recommends", "--download-only", "install"]
            self._run("apt-get", *ask, *packages)
        else:
            self._run("apt-get", "-qq", "download", *packages, folder=archives)
        return sorted(archives.glob("*.deb"))

    def _run(self, *command: str, folder: Path | None = None) -> str:
        argv = [command[0], "-c", str(self._config), *command[1:]]
        env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, cwd=folder, env=env
        )
        self._log(f"$ {' '.join(argv)}\n{done.stdout}{done.stderr}")
        if done.returncode:
            raise SetupFault(
                f"{' '.join(command[:2])} failed for {self.source.suite}: {_cause(done.stderr)}"
            )
        return done.stdout


def unpack(archives: Iterable[Path], root: Path) -> None:
    """Lay the packages' files under `root`, running none of their scripts."""
    root.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        done = subprocess.run(
            ["dpkg", "-x", str(archive), str(root)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SetupFault(f"{archive.name} can't be unpacked: {_cause(done.stderr)}")


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _cause(stderr: str) -> str:
    """The line that says most: apt's first error, else the last thing said."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line[3:] for line in lines if line.startswith("E: ")]
    return (errors or lines[-1:] or ["no reason given"])[0]

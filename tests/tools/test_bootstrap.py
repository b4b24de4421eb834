"""Set-up: what it asks of a machine, how it goes on again, what it says when it can't."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import apt, bootstrap, micropython, packages
from tools.progress import Progress

ROOT = Path(__file__).resolve().parents[2]

# What apt prints on Debian with a third party's repository of the same codename.
URIS = """\
'http://mirror.example/third/dists/bookworm/InRelease' third_InRelease 0
'http://mirror.example/third/dists/bookworm/stable/binary-amd64/Packages.xz' third_Packages 0
'http://mirror.example/debian/dists/bookworm/InRelease' debian_InRelease 0
'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' debian_Packages 0
'http://mirror.example/security/dists/bookworm-security/InRelease' security_InRelease 0
'http://mirror.example/node/dists/nodistro/InRelease' node_InRelease 0
"""
LOCK = """\
# a remark
esptool==5.6.0 \\
    --hash=sha256:aa
    # via phantom-multiroom (pyproject.toml)
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:bb
numpy==2.4.6 \\
    --hash=sha256:cc \\
    --hash=sha256:dd
    # via
    #   av
"""


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Path:
    """A copy of what set-up needs of this tree, in a folder whose name has a space."""
    tree = tmp_path / "my phantom"
    shutil.copytree(ROOT / "tools", tree / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "Makefile", *bootstrap.LOCKS["dev"], *bootstrap.LOCKS["run"]):
        shutil.copy(ROOT / name, tree)
    return tree


def start(tree: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PHANTOM_", "XDG_", "MAKE", "MFLAGS"))
    }
    return subprocess.run(
        command, cwd=tree, env=clean | environment, capture_output=True, text=True, check=False
    )


def fake_program(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return path


# Which machine this is


def test_a_debian_release_is_known_by_its_codename() -> None:
    release = apt.this_release({"ID": "debian", "VERSION_CODENAME": "bookworm"})
    assert (release.family, release.codename) == ("debian", "bookworm")


def test_a_derivative_of_ubuntu_counts_as_the_ubuntu_below_it() -> None:
    mint = {"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "VERSION_CODENAME": "wilma"}
    release = apt.this_release(mint | {"UBUNTU_CODENAME": "noble"})
    assert (release.family, release.codename) == ("ubuntu", "noble")


def test_a_distribution_without_apt_is_told_how_to_go_on_without_it() -> None:
    release = apt.this_release({"ID": "fedora", "PRETTY_NAME": "Fedora Linux 43"})
    with pytest.raises(apt.SetupFault, match="Fedora Linux 43 is neither Debian nor Ubuntu"):
        apt.own_sources(release, "trixie")


def test_the_mirror_is_the_one_that_apt_is_set_up_with_and_third_parties_come_last() -> None:
    found = apt.mirrors(URIS, "bookworm")
    assert found == ["http://mirror.example/debian", "http://mirror.example/third"]


def test_a_source_line_trusts_only_the_distributions_keyring() -> None:
    keyring = Path("/usr/share/keyrings/some.gpg")
    source = apt.Source("http://mirror.example/debian", "trixie", ("main",), "arm64", keyring)
    line = "deb [arch=arm64 signed-by=/usr/share/keyrings/some.gpg] http://mirror.example/debian"
    assert source.line() == f"{line} trixie main\n"


def test_apts_first_error_is_the_reason_given(tmp_path: Path) -> None:
    source = apt.Source(f"file:{tmp_path}/none", "trixie", ("main",), "amd64", None)
    private = apt.PrivateApt(tmp_path / "with space", source, lambda _text: None)
    with pytest.raises(apt.SetupFault, match=r"apt-get update failed for trixie: .*none"):
        private.update()


# Where MicroPython is


def test_a_named_interpreter_comes_before_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = fake_program(tmp_path / "named")
    fake_program(tmp_path / "micropython" / "micropython")
    monkeypatch.setenv(micropython.VARIABLE, str(named))
    assert micropython.micropython_path(tmp_path) == named


def test_a_named_interpreter_that_is_none_is_an_error_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_program(tmp_path / "micropython" / "micropython")
    monkeypatch.setenv(micropython.VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(apt.SetupFault, match="correct it or unset it"):
        micropython.micropython_path(tmp_path)


def test_an_installed_interpreter_is_found_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(micropython.VARIABLE, raising=False)
    installed = fake_program(tmp_path / "bin" / "micropython", "echo 1.25")
    monkeypatch.setenv("PATH", str(installed.parent))
    assert micropython.micropython_path(tmp_path) == installed
    assert micropython.obtain(tmp_path, tmp_path, print, print) == installed


def test_an_installed_interpreter_that_is_too_old_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fake_program(tmp_path / "old", "echo 1.22")
    monkeypatch.setenv(micropython.VARIABLE, str(old))
    with pytest.raises(apt.SetupFault, match=r"is MicroPython 1\.22: install MicroPython ≥ 1\.24"):
        micropython.obtain(tmp_path, tmp_path, print, print)


def test_the_interpreter_that_set_up_made_runs_and_has_littlefs(micropython_program: Path) -> None:
    version = micropython.version_of(micropython_program)
    assert version is not None
    assert version >= micropython.MINIMUM


@pytest.fixture(name="micropython_program")
def _micropython_program() -> Path:
    try:
        return micropython.micropython_path()
    except apt.SetupFault as fault:
        pytest.skip(str(fault))


@pytest.mark.parametrize(
    ("like", "codename", "suites"),
    [
        ("debian", "bookworm", ["trixie"]),
        ("debian", "trixie", ["trixie"]),
        ("debian", "forky", ["forky", "trixie"]),
        ("ubuntu", "noble", ["resolute", "questing"]),
        ("ubuntu", "questing", ["questing", "resolute"]),
    ],
)
def test_the_own_release_is_asked_first_unless_its_package_is_known_to_be_too_old(
    like: str, codename: str, suites: list[str]
) -> None:
    assert micropython.suites_of(apt.Release(like, codename, "")) == suites


# Packages


def test_a_lock_is_split_into_wheels_and_sources_and_leaves_other_systems_out() -> None:
    wheels, sources = packages.split_lock(LOCK)
    assert wheels == ["numpy==2.4.6 \\\n    --hash=sha256:cc \\\n    --hash=sha256:dd"]
    assert sources == ["esptool==5.6.0 \\\n    --hash=sha256:aa"]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_hash_and_no_index_is_named(name: str) -> None:
    text = (ROOT / name).read_text()
    wheels, sources = packages.split_lock(text)
    assert len(wheels) > 20
    assert all("==" in entry and "--hash=sha256:" in entry for entry in wheels + sources)
    assert "://" not in text
    assert "index" not in text


def test_what_playing_needs_is_locked_to_the_same_versions_for_tests() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line.split()[0] for line in lines if "==" in line}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_an_environment_interrupted_while_packages_went_in_is_made_afresh(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    with Progress(tmp_path / "build" / "log", io.StringIO()) as progress:
        environment = packages.Environment(tmp_path, tmp_path / "cache", progress)
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", environment.folder], check=True
        )
        site = next(environment.folder.glob("lib/python3*/site-packages"))
        (site / "pip").mkdir()
        (site / "pip" / "__main__.py").touch()  # a pip, so that none is looked for
        (site / "whole").touch()
        environment.make()
        assert (site / "whole").exists()
        (environment.folder / "phantom-installing").touch()
        (site / "half").touch()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(environment, "_find_pip", list)
            environment.make()
        assert not (site / "half").exists()
        assert environment.python.exists()


def test_an_environment_whose_python_has_gone_is_made_afresh(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    with Progress(tmp_path / "build" / "log", io.StringIO()) as progress:
        environment = packages.Environment(tmp_path, tmp_path / "cache", progress)
        environment.python.parent.mkdir(parents=True)
        environment.python.symlink_to("/nonexistent/python3")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(environment, "_find_pip", list)
            environment.make()
        assert environment.python.exists()


def test_what_the_cache_holds_is_not_downloaded_again(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    with Progress(tmp_path / "build" / "log", io.StringIO()) as progress:
        environment = packages.Environment(tmp_path, tmp_path / "cache", progress)
        asked: list[list[str]] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(environment, "_pip", lambda *arguments: asked.append(arguments[2]))
            kept, lacking = (
                f"{name}==1 --hash=sha256:{hashlib.sha256(name.encode()).hexdigest()}"
                for name in ("kept", "lacking")
            )
            environment.wheels.mkdir(parents=True)
            (environment.wheels / "kept-1-py3-none-any.whl").write_text("kept")
            (environment.wheels / "lacking-1-py3-none-any.whl").write_text("interrupted")
            environment.download([kept, lacking])
            environment.download([kept])
    assert asked == [[lacking]]


# The whole


def test_without_a_network_one_line_says_so_and_the_status_is_2(tree: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": "/dev/null"}
    done = start(tree, sys.executable, "tools/bootstrap.py", "run", HOME="/dev/null", **nowhere)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "the index can't be reached: check the network" in done.stderr
    assert "Python environment in .venv      done" in done.stdout
    assert (tree / "build" / "cache").is_dir(), "no home to write to, so the tree keeps downloads"


def test_an_interrupted_environment_may_be_the_one_that_set_up_runs_in(tree: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tree / ".venv"], check=True)
    (tree / ".venv" / "phantom-installing").touch()
    (tree / "build").mkdir()
    making = "\n".join(
        [
            "from pathlib import Path; from tools import packages, progress",
            "log = progress.Progress(Path('build/log'))",
            "there = packages.Environment(Path.cwd(), Path('cache'), log)",
            "there._find_pip = list",
            "there.make()",
        ]
    )
    done = start(tree, ".venv/bin/python", "-c", making)
    assert (done.returncode, done.stderr) == (0, "")
    assert start(tree, ".venv/bin/python", "-c", "print(1)").stdout == "1\n"
    assert not (tree / ".venv" / "phantom-installing").exists()


def test_a_finished_set_up_is_only_looked_at_again(tree: Path) -> None:
    fake_program(tree / ".venv" / "bin" / "python", f'exec "{sys.executable}" "$@"')
    interpreter = fake_program(tree / "build" / "micropython" / "micropython")
    stamp = bootstrap.fingerprint(tree, "run")
    (tree / ".venv" / "phantom-run.stamp").write_text(stamp)
    done = start(tree, "make", "setup", HOME="/dev/null")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert bootstrap.is_set_up(tree, "run")
    (tree / ".venv" / packages.HALF_MADE).touch()
    assert not bootstrap.is_set_up(tree, "run"), "another purpose's set-up was interrupted"
    (tree / ".venv" / packages.HALF_MADE).unlink()
    interpreter.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        patch.delenv(micropython.VARIABLE, raising=False)
        assert not bootstrap.is_set_up(tree, "run"), "the interpreter has gone"


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_changed_lock_or_project_is_set_up_anew(tree: Path, changed: str) -> None:
    before = bootstrap.fingerprint(tree, "run")
    with (tree / changed).open("a") as file:
        file.write("# changed\n")
    assert bootstrap.fingerprint(tree, "run") != before


def test_music_and_seconds_reach_the_demo_whatever_they_contain(tree: Path) -> None:
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / "tools" / "bootstrap.py").write_text("")
    fake_program(tree / ".venv" / "bin" / "phantom", 'for each; do echo "<$each>"; done')
    music = '~/My "Mu$ic"; echo no'
    done = start(tree, "make", "run", f"MUSIC={music}", "SECONDS=60", HOME="/home/x")
    assert done.stdout.splitlines() == [
        *("<demo>", "<--music>", '</home/x/My "Mu$ic"; echo no>', "<--seconds>", "<60>")
    ]
    assert start(tree, "make", "run").stdout == "<demo>\n"


def test_a_python_that_is_none_is_named_and_the_status_is_2(tree: Path) -> None:
    done = start(tree, "make", "setup", "PYTHON=/nonexistent/python3")
    assert done.returncode == 2
    assert "PYTHON=/nonexistent/python3 is no Python 3.11 or newer" in done.stderr


# What a person sees


def test_a_log_shows_each_step_begin_and_end_and_a_failure_by_name(tmp_path: Path) -> None:
    shown = io.StringIO()
    with Progress(tmp_path / "log", shown) as progress:
        with progress.step("First") as step:
            step.detail = "3 packages"
        with pytest.raises(apt.SetupFault), progress.step("Second"):
            raise apt.SetupFault("no")
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert lines[0] == ["First", "…"]
    assert lines[1][:3] == ["First", "done", "in"]
    assert lines[1][-2:] == ["3", "packages"]
    assert lines[3][:3] == ["Second", "failed", "after"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_kept_alive_while_a_step_works(tmp_path: Path) -> None:
    shown = Terminal()
    with Progress(tmp_path / "log", shown) as progress, progress.step("Long") as step:
        step.say("fetching numpy (3 of 34)")
        limit = time.monotonic() + 10
        while "fetching numpy" not in shown.getvalue() and time.monotonic() < limit:
            time.sleep(0.02)
    assert "fetching numpy (3 of 34)" in shown.getvalue()
    assert shown.getvalue().count("\n") == 1

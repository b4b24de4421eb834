"""pytest's side of the portable tests (see portable.py), and MicroPython's names for CPython."""

import ast
import gc
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
for _folder in (ROOT / "host", ROOT / "firmware", ROOT):
    if str(_folder) not in sys.path[:3]:
        sys.path.insert(0, str(_folder))  # before any `tests` package that others installed

from phantom.port import cpython  # noqa: E402

cpython.install()  # before anything imports firmware

from tests import explained, lanes, portable  # noqa: E402

# An example that takes long has found a busy machine.
hypothesis.settings.register_profile(
    "phantom", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("phantom")

_PORTABLE = re.compile(r"^PORTABLE = True$", re.MULTILINE)
_HEAP = re.compile(r"^HEAP_KIB = (\d+)", re.MULTILINE)
# The emulated ESP32's (boards/emulated/profiles.py): twice the chip's objects, its ring, the code.
_HEAP_KIB = 384
_FRAME = re.compile(r'^  File "(.+)", line (\d+).*\n', re.MULTILINE)
# For a whole file: far beyond any honest one, short of CI's patience.
_TIMEOUT_S = 3600 if os.environ.get("PHANTOM_SWEEP") == "all" else 120


def micropython_command() -> str | None:
    """The MicroPython unix port to test with, or None where none is installed."""
    chosen = os.environ.get("PHANTOM_MICROPYTHON")
    if chosen:
        return chosen
    bootstrapped = ROOT / "build" / "micropython" / "micropython"
    return str(bootstrapped) if bootstrapped.exists() else shutil.which("micropython")


def require_micropython() -> str:
    """The interpreter's path; without one the test is skipped, or fails where CI=true."""
    command = micropython_command()
    if command:
        return command
    remedy = "no MicroPython unix port: run `python3 tools/bootstrap.py`"
    if os.environ.get("CI") == "true":
        pytest.fail(remedy, pytrace=False)
    pytest.skip(remedy)


@pytest.fixture(name="micropython", scope="session")
def _micropython() -> str:
    return require_micropython()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(lanes.Worker())


def pytest_collection_finish() -> None:
    # Thousands of tests live as long as this process: when a device of these tests collects its
    # garbage, as firmware often does, it isn't to look through all of them.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)  # there is none where xdist is switched off
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> lanes.Lanes:
    return lanes.Lanes(config, log)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "MicroPythonFile | None":
    name = file_path.name
    portable_name = name.startswith(("test_", "micropython_")) and file_path.suffix == ".py"
    if portable_name and _PORTABLE.search(file_path.read_text(encoding="utf-8")):
        return MicroPythonFile.from_parent(parent, path=file_path)
    return None


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> "_NotForCPython | None":
    if module_path.name.startswith("micropython_"):  # named on the command line
        return _NotForCPython.from_parent(parent, path=module_path)
    return None


class _NotForCPython(pytest.Module):
    def collect(self) -> "list[pytest.Item]":
        return []


class MicroPythonFile(pytest.File):
    """The tests of one portable file, run together in one MicroPython process."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.printed: dict[str, str] = {}

    def collect(self) -> "list[MicroPythonTest]":
        tests = []
        for node in ast.parse(self.path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                if node.args.args or node.decorator_list:
                    raise self.CollectError(
                        f"{self.path}: {node.name} takes fixtures or has a decorator; "
                        "a portable test has neither"
                    )
                tests.append(node.name)
        return [
            MicroPythonTest.from_parent(self, name=f"{name}[micropython]", test_name=name)
            for name in tests
        ]

    def outcomes(self) -> dict[str, str | None]:
        """None for each test that passed, else what MicroPython printed before it failed."""
        if not hasattr(self, "_outcomes"):
            chosen = [item for item in self.session.items if item.parent is self]
            self._outcomes = self._run([item.test_name for item in chosen])
        return self._outcomes

    def _run(self, names: list[str]) -> dict[str, str | None]:
        module = ".".join(self.path.relative_to(ROOT).with_suffix("").parts)
        source = self.path.read_text(encoding="utf-8")
        heap = _HEAP.search(source)
        command = [require_micropython(), "-X", f"heapsize={heap[1] if heap else _HEAP_KIB}k"]
        command += [str(ROOT / "tests" / "portable.py"), "--explained", module, *names]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                input=explained.explain(source),
                capture_output=True,
                check=False,
                text=True,
                timeout=_TIMEOUT_S,
            )
            printed, ending = done.stdout, f"{done.stderr}exit status {done.returncode}"
        except subprocess.TimeoutExpired as expired:
            printed = (expired.stdout or b"").decode(errors="replace")
            ending = f"still running after {_TIMEOUT_S} s"
        outcomes: dict[str, str | None] = {}
        pending: list[str] = []
        for line in printed.splitlines():
            if line.startswith(portable.MARKER):
                _, verdict, name = line.split(" ", 2)
                outcomes[name] = None if verdict == "pass" else _with_lines("\n".join(pending))
                self.printed[name] = "\n".join(pending)
                pending = []
            else:
                pending.append(line)
        for name in names:
            outcomes.setdefault(name, "\n".join([*pending, f"did not finish: {ending}"]))
        return outcomes


def _with_lines(traceback: str) -> str:
    """Add the source line that each frame of MicroPython's traceback stands at."""

    def line(frame: re.Match[str]) -> str:
        path = ROOT / frame[1]
        if not path.is_file():
            return frame[0]
        lines = path.read_text(encoding="utf-8").splitlines()
        return f"{frame[0]}    {lines[int(frame[2]) - 1].strip()}\n"

    return _FRAME.sub(line, traceback)


class MicroPythonTest(pytest.Item):
    """One portable test on MicroPython."""

    def __init__(self, *, test_name: str, **keywords: object) -> None:
        super().__init__(**keywords)
        self.test_name = test_name

    def runtest(self) -> None:
        failure = self.parent.outcomes()[self.test_name]
        if failure is not None:
            pytest.fail(failure, pytrace=False)
        if self.parent.printed[self.test_name]:
            self.add_report_section("call", "stdout", self.parent.printed[self.test_name])

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name

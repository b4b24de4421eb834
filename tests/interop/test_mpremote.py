"""mpremote, unmodified, at the serial port of an emulated board: every command of its."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pty
import select
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boards.emulated.board import EmulatedBoard

# A silent board hangs it for ever on a pty: it reads there without a time-out.
PATIENCE_S = 30.0
_COMMAND = (sys.executable, "-m", "mpremote")

_BUSY_MAIN = """
import machine, time
print("main runs", machine.reset_cause())
while True:
    time.sleep_ms(5)
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, micropython: str) -> Iterator[EmulatedBoard]:
    if importlib.util.find_spec("mpremote") is None:
        reason = "no mpremote: pip install 'phantom-multiroom[boards]'"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    os.environ["PHANTOM_MICROPYTHON"] = micropython
    board = EmulatedBoard(
        "bench",
        tmp_path_factory.mktemp("boards"),
        serial=True,
        flash_erase_us=0,
        files={"main.py": _BUSY_MAIN},
    )
    board.start()
    yield board
    board.stop()


Mpremote = Callable[..., str]


def _call(board: EmulatedBoard, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_COMMAND, "connect", board.port, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture
def mpremote(board: EmulatedBoard, tmp_path: Path) -> Mpremote:
    """Runs it in tmp_path; what it printed. It ends with status 0 unless `fails`."""

    def run(*arguments: str, fails: bool = False) -> str:
        done = _call(board, tmp_path, *arguments)
        assert bool(done.returncode) == fails, done.stdout + done.stderr + board.log()[-2000:]
        return done.stdout + done.stderr

    return run


def test_exec_and_eval_print_and_an_exception_is_a_status(mpremote: Mpremote) -> None:
    assert mpremote("exec", "print('ä', 1 + 1)", "eval", "'x' * 3") == "ä 2\nxxx\n"
    failed = mpremote("exec", "def f():\n 1/0\nf()", fails=True)
    assert failed == (
        "Traceback (most recent call last):\n"
        '  File "<stdin>", line 3, in <module>\n'
        '  File "<stdin>", line 2, in f\n'
        "ZeroDivisionError: divide by zero\n"
    )


def test_the_board_is_what_its_profile_says(mpremote: Mpremote, board: EmulatedBoard) -> None:
    code = "import os, sys; print(sys.platform, os.uname().machine, sys.implementation._build)"
    assert mpremote("exec", code) == "esp32 Generic ESP32 module with ESP32 ESP32_GENERIC\n"
    assert "; Generic ESP32 module with ESP32\n" in board.log()


def test_a_run_without_follow_is_interrupted_by_the_next_command(
    mpremote: Mpremote, board: EmulatedBoard
) -> None:
    mpremote("exec", "--no-follow", "print('spins')\nwhile True: pass")
    assert mpremote("resume", "exec", "print('mine')") == "mine\n"
    assert "spins" in board.log()
    assert "KeyboardInterrupt" in board.log()


def test_run_executes_a_file_of_the_host(mpremote: Mpremote, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("for i in range(3):\n    print(i)\n")
    (tmp_path / "bad.py").write_text("raise OSError(5)\n")
    (tmp_path / "worse.py").write_text("def\n")
    assert mpremote("run", "good.py") == "0\n1\n2\n"
    assert mpremote("run", "bad.py", fails=True).endswith("OSError: [Errno 5] EIO\n")
    assert mpremote("run", "worse.py", fails=True).endswith("SyntaxError: invalid syntax\n")


def test_files_go_there_and_back_whatever_is_in_them(mpremote: Mpremote, tmp_path: Path) -> None:
    every = bytes(range(256)) * 40 + b"\x03\x04\x01\x02\r\n\x05A\x01" * 50
    (tmp_path / "every.bin").write_bytes(every)
    mpremote("cp", "every.bin", ":/every.bin", "+", "cp", ":/every.bin", "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == every
    listed = mpremote("ls", ":/", "+", "sha256sum", ":/every.bin")
    assert f"{len(every):>12} every.bin" in listed
    assert hashlib.sha256(every).hexdigest() in listed
    assert "Up to date: /every.bin" in mpremote("cp", "every.bin", ":/every.bin")
    mpremote("rm", ":/every.bin")
    assert "no such file" in mpremote("cat", ":/every.bin", fails=True).lower()


def test_folders_go_there_and_back(
    mpremote: Mpremote, board: EmulatedBoard, tmp_path: Path
) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "a.txt").write_text("one\n")
    (tmp_path / "tree" / "sub" / "b.txt").write_text("two\n")
    shown = mpremote(
        *("cp", "-r", "tree", ":/", "+", "tree", ":/tree", "+", "cat", ":/tree/sub/b.txt", "+"),
        *("mkdir", ":/tree/c", "+", "touch", ":/tree/c/d", "+", "cp", "-r", ":/tree", "back"),
    )
    assert "├── a.txt\n└── sub\n    └── b.txt\n" in shown
    assert "two\n" in shown
    back = {p.relative_to(tmp_path / "back").as_posix() for p in (tmp_path / "back").rglob("*")}
    assert back == {"a.txt", "sub", "sub/b.txt", "c", "c/d"}
    assert mpremote("rm", "-r", ":/tree", "+", "ls", ":/").count("tree") == 1  # in "rm :/tree"


def test_df_tells_of_the_flash_alone(mpremote: Mpremote) -> None:
    lines = mpremote("df").splitlines()
    assert len(lines) == 2
    assert lines[1].split()[1] == str(2 * 1024 * 1024)


def test_a_mounted_folder_of_the_host_is_imported_from_and_written_to(
    mpremote: Mpremote, tmp_path: Path
) -> None:
    (tmp_path / "helper.py").write_text("VALUE = 'from the host'\n" + "# filler\n" * 100)
    code = (
        "import os, helper; print(helper.VALUE, os.getcwd())\n"
        "with open('out.bin', 'wb') as f: f.write(bytes(range(256)))\n"
    )
    assert "from the host /remote\n" in mpremote("mount", ".", "exec", code)
    assert (tmp_path / "out.bin").read_bytes() == bytes(range(256))
    (tmp_path / "fails.py").write_text("import helper\nhelper.nothing\n")
    assert "AttributeError" in mpremote("mount", ".", "run", "fails.py", fails=True)
    assert mpremote("exec", "import os; print(os.getcwd())") == "/\n"


def test_mip_installs_from_a_package_json_of_the_host(mpremote: Mpremote, tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text("NAME = 'part'\n")
    (tmp_path / "package.json").write_text(
        '{"version": "1.0", "urls": [["kit/__init__.py", "part.py"]]}'
    )
    mpremote("mip", "install", "--target", "/lib", "./package.json")
    assert mpremote("exec", "import kit; print(kit.NAME)") == "part\n"
    mpremote("rm", "-r", ":/lib/kit")


def test_soft_and_hard_resets_have_their_causes(mpremote: Mpremote, board: EmulatedBoard) -> None:
    cause = "import machine; print(machine.reset_cause())"
    mpremote("exec", "left = 1")
    assert mpremote("resume", "exec", "print(left)") == "1\n"
    assert mpremote("soft-reset", "exec", "print('left' in globals())") == "False\n"
    assert mpremote("resume", "exec", cause) == "5\n"
    before = board.log().count("main runs 2")
    mpremote("reset")
    end = time.monotonic() + PATIENCE_S
    while board.log().count("main runs 2") == before and time.monotonic() < end:
        time.sleep(0.01)
    assert mpremote("resume", "exec", cause) == "2\n"


def test_without_raw_paste_commands_go_the_plain_way(
    mpremote: Mpremote, board: EmulatedBoard
) -> None:
    board.raw_paste = False
    try:
        mpremote("soft-reset")
        assert mpremote("exec", "print(len('" + "x" * 900 + "'))") == "900\n"
        assert b"R\x00" in board.log_path.read_bytes()[-2000:]
    finally:
        board.raw_paste = True
        mpremote("soft-reset")


def test_a_copy_that_is_torn_off_leaves_a_board_that_takes_the_next(
    mpremote: Mpremote, board: EmulatedBoard, tmp_path: Path
) -> None:
    (tmp_path / "big.bin").write_bytes(os.urandom(400_000))
    before = board.flash_power.operations
    copy = subprocess.Popen(
        [*_COMMAND, "connect", board.port, "cp", "big.bin", ":/big.bin"], cwd=tmp_path
    )
    while board.flash_power.operations < before + 20:
        assert copy.poll() is None
        time.sleep(0.005)
    copy.kill()
    copy.wait()
    assert mpremote("rm", ":/big.bin", "+", "exec", "print('whole')").endswith("whole\n")


def test_a_program_on_the_line_is_refused_while_another_holds_it(
    mpremote: Mpremote, board: EmulatedBoard
) -> None:
    holder = subprocess.Popen(
        [*_COMMAND, "connect", board.port, "exec", "print('held')\nwhile True: pass"],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\r\n"
    assert "failed to access" in mpremote("exec", "1", fails=True)
    holder.kill()
    holder.wait()
    assert mpremote("exec", "print(1)") == "1\n"


class Person:
    """Somebody who types into `mpremote repl`."""

    def __init__(self, board: EmulatedBoard) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)  # as mpremote will have it, but what is typed before it has is not lost
        self._process = subprocess.Popen(
            [*_COMMAND, "connect", board.port, "repl"], stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        self._seen = b""

    def types(self, text: str, sees: str) -> str:
        """Type, and look until what comes has `sees` in it; what came."""
        os.write(self._master, text.encode())
        return self.looks(sees)

    def looks(self, sees: str) -> str:
        end = time.monotonic() + PATIENCE_S
        wanted = sees.encode()
        while wanted not in self._seen:
            assert time.monotonic() < end, f"{sees!r} never came, but {self._seen!r}"
            if select.select([self._master], [], [], 0.1)[0]:
                self._seen += os.read(self._master, 4096)
        at = self._seen.index(wanted) + len(wanted)
        came, self._seen = self._seen[:at], self._seen[at:]
        return came.decode()

    def leaves(self) -> None:
        os.write(self._master, b"\x1d")
        self._process.wait(PATIENCE_S)
        os.close(self._master)


def test_a_person_at_the_repl_interrupts_pastes_and_resets(board: EmulatedBoard) -> None:
    person = Person(board)
    person.looks("Use Ctrl-] or Ctrl-x to exit this shell")
    person.types("\x03", ">>> ")
    person.types("\x04", "main runs 5\r\n")  # a soft reset, and main.py runs
    came = person.types("\x03", ">>> ")
    assert 'File "main.py", line 5' in came
    assert "KeyboardInterrupt" in came
    assert person.types("1 + 41\r", "\r\n>>> ") == "1 + 41\r\n42\r\n>>> "
    person.types("while True: pass\r\r", "... \r\n")
    assert "KeyboardInterrupt" in person.types("\x03", "\r\n>>> ")
    person.types("for i in range(2):\r", "...     ")  # it indents by itself
    person.types("print('i', i)\r", "...     ")
    assert person.types("\x7f\r", "i 1\r\n>>> ").count("i 0\r\n") == 1
    assert "=== " in person.types("\x05", "=== ")
    person.types("def f():\r    return 'pasted'\r\rprint(f())\r", "print(f())\r\n=== ")
    assert person.types("\x04", ">>> ") == "\r\npasted\r\n>>> "
    person.types("\x05", "=== ")
    assert person.types("print('never')\x03", "\r\n>>> ").count("never") == 1
    person.types("x = 'ab\x7fc'\r", ">>> ")
    assert person.types("x\r", "\r\n>>> ") == "x\r\n'ac'\r\n>>> "
    assert person.types("\x1b[A\r", "\r\n>>> ") == "x\r\n'ac'\r\n>>> "  # the line before
    banner = person.types("\x02", ">>> ")
    assert "MicroPython v1." in banner
    assert "; Generic ESP32 module with ESP32\r\n" in banner
    person.leaves()

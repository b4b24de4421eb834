"""The friendly and the raw REPL, as in shared/runtime/pyexec.c: the unix port's 1.25 has none.

The strings are the protocol that mpremote and its like speak.
"""

import io
import sys

import _console
import _line_editor
from _board import end, facts
from resets import EXIT_SOFT, EXIT_SOFT_RAW

FRIENDLY = "friendly"
RAW = "raw"

_CTRL_A = 1
_CTRL_B = 2
_CTRL_C = 3
_CTRL_D = 4
_CTRL_E = 5
_WINDOW = 128  # half of the chip's buffer of 256

_FAILED = 0
_DONE = 1
_EXIT = 2

# Begins frames of the emulator's own, which a traceback on the chip does not have.
_OWN_FRAME = '  File "/.stubs/_repl.py"'


def run_file(name, scope):
    """Run a file if it is there; whether it ended without an exception. SystemExit resets."""
    try:
        with open(name) as f:
            source = f.read()
    except OSError:
        return True
    scope["__file__"] = name
    done = _execute(source, name, "exec", scope)
    _console.booting()
    if done == _EXIT:
        soft_reset(FRIENDLY)
    return done == _DONE


def talk(mode, scope):
    """Serve the host for the rest of this life, first in the REPL `mode`."""
    _console.reading()
    while True:
        mode = _raw(scope) if mode == RAW else _friendly(scope)


def soft_reset(mode):
    """Begin again, in the REPL `mode`."""
    _console.reading()
    _console.write("MPY: soft reboot\r\n")
    end(EXIT_SOFT_RAW if mode == RAW else EXIT_SOFT)


# Code


def _execute(source, name, kind, scope, marks=b""):
    # `marks` go out after the output, and again after a traceback. No source: it was interrupted.
    _console.running()
    try:
        try:
            if source is None:
                raise KeyboardInterrupt
            text = source if isinstance(source, str) else str(source, "utf8")
            exec(compile(text, name, kind), scope)
            done = _DONE
        except SystemExit:
            done = _EXIT
        except BaseException as error:
            done = _FAILED
            failure = error
        _console.reading()
        for _ in range(2):  # a Ctrl-C of the last moment comes at a jump
            pass
    except KeyboardInterrupt as error:
        _console.reading()
        if done == _DONE:  # pyright: ignore[reportPossiblyUnboundVariable]
            done = _FAILED
            failure = error
    _console.write(marks)
    if done == _FAILED:  # pyright: ignore[reportPossiblyUnboundVariable]
        _console.write(_traceback(failure))  # pyright: ignore[reportPossiblyUnboundVariable]
    _console.write(marks)
    return done  # pyright: ignore[reportPossiblyUnboundVariable]


def _traceback(error):
    text = io.StringIO()
    sys.print_exception(error, text)
    lines = [line for line in text.getvalue().split("\n") if not line.startswith(_OWN_FRAME)]  # pyright: ignore[reportAttributeAccessIssue]
    if not any(line.startswith("  File") for line in lines) and lines[0].startswith("Traceback"):
        del lines[0]
    return "\r\n".join(lines)


# Raw


def _raw(scope):
    line = bytearray()
    _console.write("raw REPL; CTRL-B to exit\r\n>")
    while True:
        c = _console.byte()
        if c == _CTRL_A:
            if len(line) == 2 and line[0] == _CTRL_E:
                if _paste(line[1], scope):
                    _console.write(">")
            else:
                _console.write("raw REPL; CTRL-B to exit\r\n>")
            line = bytearray()
        elif c == _CTRL_B:
            _console.write("\r\n")
            return FRIENDLY
        elif c == _CTRL_C:
            line = bytearray()
        elif c == _CTRL_D:
            _console.write("OK")
            if not line:
                _console.write("\r\n")
                soft_reset(RAW)
            _run_raw(line, scope)
            line = bytearray()
            _console.write(">")
        else:
            line.append(c)


def _run_raw(source, scope):
    if _execute(source, "<stdin>", "exec", scope, b"\x04") == _EXIT:
        soft_reset(RAW)


def _paste(command, scope):
    # Whether a prompt is due. Tools expect none where a board says that it can't.
    if command != ord("A") or not facts["raw_paste"]:
        _console.write(b"R\x00")
        return command != ord("A")
    _console.write(b"R\x01" + bytes([_WINDOW & 0xFF, _WINDOW >> 8, 1]))
    source = bytearray()
    remain = _WINDOW
    while True:
        piece = _console.some(remain)
        for i in range(len(piece)):
            if piece[i] in (_CTRL_C, _CTRL_D):
                _console.untake(len(piece) - i - 1)
                _console.write(b"\x04")
                source.extend(piece[:i])
                _run_raw(None if piece[i] == _CTRL_C else source, scope)
                return True
        source.extend(piece)
        remain -= len(piece)
        if not remain:
            _console.write(b"\x01")
            remain = _WINDOW


# Friendly


def _friendly(scope):
    _console.write(_console.banner())
    while True:
        text = _line_editor.read(">>> ")
        kind = "single"
        if text == _CTRL_A:
            _console.write("\r\n")
            return RAW
        if text == _CTRL_B:
            _console.write("\r\n" + _console.banner())
            continue
        if text == _CTRL_C:
            _console.write("\r\n")
            continue
        if text == _CTRL_D:
            _console.write("\r\n")
            soft_reset(FRIENDLY)
        if text == _CTRL_E:
            text = _paste_mode()
            kind = "exec"
        else:
            text = _statement(text)
        if text and _execute(text, "<stdin>", kind, scope) == _EXIT:
            soft_reset(FRIENDLY)


def _statement(text):
    # None if it was given up
    while text and _line_editor.incomplete(text):
        more = _line_editor.read("... ", text)
        if more == _CTRL_C:
            _console.write("\r\n")
            return None
        if more == _CTRL_D:
            _console.write("\r\n")
            break
        text += "\n" + (more if isinstance(more, str) else "")
    return text


def _paste_mode():
    text = bytearray()
    _console.write("\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
    while True:
        c = _console.byte()
        if c in (_CTRL_C, _CTRL_D):
            _console.write("\r\n")
            return str(text, "utf8").replace("\r", "\n") if c == _CTRL_D else None
        text.append(c)
        _console.write("\r\n=== " if c == 13 else bytes([c]))

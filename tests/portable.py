"""Tests that run on CPython and on MicroPython, from one file.

How to write one: a `tests/firmware/test_NAME.py` with the line `PORTABLE = True` at module level.

    from phantom import rpc
    from tests.portable import raises

    PORTABLE = True

    def test_a_reply_carries_the_id_of_its_call():
        assert rpc.reply(7, True)["id"] == 7
        with raises(ValueError):
            rpc.reply(None, True)

pytest then collects every test function twice: as usual, and as `test_NAME[micropython]`, which
runs in the MicroPython unix port (one process a file). So such a file imports only what both
have, and its tests take no fixtures and no parameters. `from tests.portable import raises,
Random, Folder` is there for both. Modules beside the test are imported as `from
tests.firmware.NAME import …`. What only MicroPython can show (that nothing is allocated, say) goes
into a file of the same kind named `micropython_NAME.py`, which runs there only.

There, an assert tells its operands' values (see explained.py), and the heap is as small as an
emulated ESP32's. A file whose tests hold more than a board ever does says how much it needs:
`HEAP_KIB = 2048`.

MicroPython is found in this order: $PHANTOM_MICROPYTHON, build/micropython/micropython (what
tools/bootstrap.py installs), `micropython` on the PATH. Without it these tests are skipped with
that remedy; with CI=true they fail.

This file is also the MicroPython side: `micropython tests/portable.py tests.firmware.test_NAME
test_one test_two` runs those tests and prints a line for each: a marker, `pass` or `fail`, and
its name; a failure's traceback stands before its line. With `--explained` before the module, its
source comes through stdin.
"""

import os
import sys
from binascii import hexlify

MARKER = "\x02portable"


class raises:  # noqa: N801 - reads like a statement
    """Context manager: the block must raise `kind`; the exception is kept as `.value`."""

    def __init__(self, kind):
        self.kind = kind
        self.value = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, _traceback):
        assert kind is not None, self.kind.__name__ + " was not raised"
        self.value = value
        return issubclass(kind, self.kind)


class Folder:
    """An empty folder for a block: `with Folder() as path:`. Files in it go with it."""

    def __enter__(self):
        self._path = "/tmp/phantom-" + hexlify(os.urandom(6)).decode()
        os.mkdir(self._path)
        return self._path

    def __exit__(self, *_):
        for name in os.listdir(self._path):
            os.remove(self._path + "/" + name)
        os.rmdir(self._path)


class Random:
    """The same numbers on every interpreter (xorshift32 of G. Marsaglia, 2003)."""

    def __init__(self, seed):
        self._state = seed & 0xFFFFFFFF or 1

    def below(self, limit):
        """An integer in 0 .. limit - 1."""
        x = self._state
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        self._state = x
        return x % limit

    def between(self, low, high):
        """An integer in low .. high, both included."""
        return low + self.below(high - low + 1)


_WIDTH = 600  # of a value that is told


class _Unseen:
    pass


_unseen = _Unseen()


def explain(*operands, said=_unseen):
    """What a failed assert tells: its own message, then each (text, value) it looked at."""
    lines = [] if said is _unseen else [str(said)]
    seen = [(text, value) for text, value in operands if value is not _unseen]
    for text, value in seen:
        shown = repr(value)
        if len(shown) > _WIDTH:
            shown = shown[: _WIDTH // 2] + " ... " + shown[-_WIDTH // 2 :]
        if shown != text:
            lines.append(text + " = " + shown)
    if len(seen) == 2:
        lines += _difference(seen[0][1], seen[1][1])
    return "\n  ".join(lines)


def _difference(one, other):
    # Where two long values of a kind part.
    kinds = (list, tuple, str, bytes, bytearray)
    if not (isinstance(one, kinds) and isinstance(other, kinds)) or one == other:
        return []
    if len(one) < 8 and len(other) < 8:
        return []
    at = 0
    while at < len(one) and at < len(other) and one[at] == other[at]:
        at += 1
    first = "first difference at " + str(at) + ": " + repr(one[at : at + 1])
    return [first + ", " + repr(other[at : at + 1])]


def _explained(module):
    # The module from stdin, under its own file's name.
    namespace = {"__name__": module, "_explain": explain, "_unseen": _unseen}
    exec(compile(sys.stdin.read(), module.replace(".", "/") + ".py", "exec"), namespace)
    return namespace


def _imported(module):
    namespace = __import__(module)
    for part in module.split(".")[1:]:
        namespace = getattr(namespace, part)
    return namespace.__dict__


def _main(namespace, names):
    for name in names:
        try:
            namespace[name]()
        except Exception as error:
            sys.print_exception(error, sys.stdout)
            print(MARKER, "fail", name)
        else:
            print(MARKER, "pass", name)


if __name__ == "__main__" and sys.implementation.name == "micropython":
    _root = "/".join(__file__.split("/")[:-2]) or "."
    sys.path[:] = [_root, _root + "/firmware", ".frozen"]
    if sys.argv[1] == "--explained":
        _main(_explained(sys.argv[2]), sys.argv[3:])
    else:
        _main(_imported(sys.argv[1]), sys.argv[2:])

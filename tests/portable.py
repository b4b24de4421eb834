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
Random` is there for both. Modules beside the test are imported as `from tests.firmware.NAME
import …`. What only MicroPython can show (that nothing is allocated, say) goes into a file of the
same kind named `micropython_NAME.py`, which runs there only.

MicroPython is found in this order: $PHANTOM_MICROPYTHON, build/micropython/micropython (what
tools/bootstrap.py installs), `micropython` on the PATH. Without it these tests are skipped with
that remedy; with CI=true they fail.

This file is also the MicroPython side: `micropython tests/portable.py tests.firmware.test_NAME
test_one test_two` runs those tests and prints a line for each: a marker, `pass` or `fail`, and
its name; a failure's traceback stands before its line.
"""

import sys

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


def _main(module, names):
    namespace = __import__(module)
    for part in module.split(".")[1:]:
        namespace = getattr(namespace, part)
    for name in names:
        try:
            getattr(namespace, name)()
        except Exception as error:
            sys.print_exception(error, sys.stdout)
            print(MARKER, "fail", name)
        else:
            print(MARKER, "pass", name)


if __name__ == "__main__" and sys.implementation.name == "micropython":
    _root = "/".join(__file__.split("/")[:-2]) or "."
    sys.path[:] = [_root, _root + "/firmware", ".frozen"]
    _main(sys.argv[1], sys.argv[2:])

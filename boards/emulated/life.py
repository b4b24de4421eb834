"""One life of an emulated board, from reset to reset: runs in the MicroPython unix port.

    micropython -X heapsize=N life.py facts.json

The modules in stubs/ stand before the interpreter's own, the flash is mounted at / as littlefs2,
and then boot.py and main.py run from it as on the chip (ports/esp32/main.c).
"""

import sys

import vfs

_HERE = __file__[: __file__.rfind("/")] if "/" in __file__ else "."


_PR_SET_TIMERSLACK = 29


def _sharpen_sleep():
    # Linux may end a sleep 50 us late; a board's short sleeps are busy waits.
    import ffi

    try:
        ffi.open("libc.so.6").func("i", "prctl", "iLLLL")(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    except OSError:
        pass


def _start(facts_path):
    import ujson

    _sharpen_sleep()

    with open(facts_path) as f:
        facts = ujson.load(f)
    vfs.mount(vfs.VfsPosix(_HERE + "/stubs"), "/.stubs")  # pyright: ignore[reportAttributeAccessIssue]
    sys.path[:] = ["/.stubs", ".frozen", "", "/lib"]
    import _board

    _board.start(facts)
    import _tasks

    sys.modules["_asyncio"] = _tasks
    sys.modules["gc"] = _Collector(facts["gc_us"])
    import _retained

    _retained.resume()
    vfs.umount("/")
    return facts


class _Collector:
    """`gc` whose collections take as long as the chip's."""

    def __init__(self, pause_us):
        import gc

        self._gc = gc
        self._pause_us = pause_us

    def __getattr__(self, name):
        return getattr(self._gc, name)

    def collect(self):
        from _board import machine_sleep_us

        self._gc.collect()
        machine_sleep_us(self._pause_us)


def _run(name):
    try:
        with open(name) as f:
            source = f.read()
    except OSError:
        return True
    try:
        exec(compile(source, name, "exec"), {"__name__": "__main__"})
    except SystemExit:
        raise
    except BaseException as error:
        sys.print_exception(error)
        return False
    return True


def _live():
    import _boot
    from _board import end
    from resets import EXIT_SOFT

    _boot.mount()  # pyright: ignore[reportAttributeAccessIssue]
    try:
        if _run("/boot.py"):
            _run("/main.py")
    except SystemExit:
        print("MPY: soft reboot")
        end(EXIT_SOFT)


def _live_on_the_line(terminal, mode):
    # With a serial line a life does not end with main.py: the REPL follows.
    import _console

    _console.attach(terminal)
    _console.install()
    import _boot
    import _repl

    _hide_stubs()
    _boot.mount()  # pyright: ignore[reportAttributeAccessIssue]
    scope = {"__name__": "__main__"}
    if _repl.run_file("boot.py", scope) and mode == _repl.FRIENDLY:
        _repl.run_file("main.py", scope)
    _repl.talk(mode, scope)


def _hide_stubs():
    # Tools list what is mounted: everything of ours is imported now, and then nowhere to be seen.
    import uos

    for entry in uos.ilistdir("/.stubs"):
        if entry[0].endswith(".py"):
            __import__(entry[0][:-3])
    vfs.umount("/.stubs")
    sys.path[:] = ["", ".frozen", "/lib"]


_facts = _start(sys.argv[1])
if _facts["terminal"]:
    _live_on_the_line(_facts["terminal"], _facts["repl"])
else:
    _live()

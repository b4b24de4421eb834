"""What firmware modules take from MicroPython, for CPython: call install() before importing them.

Adds a `micropython` module, viper's pointer types as builtins, and the `ticks_*` and `sleep_ms`
of MicroPython's `time` and `asyncio`. Viper functions then run as plain Python: pointer
parameters become memoryviews of the same element size, so a kernel's own bounds are checked and
a store that does not fit its element raises instead of being cut off.
"""

import asyncio
import builtins
import functools
import gc
import os
import resource
import sys
import time
import types
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Literal

_TICKS_PERIOD = 1 << 30  # as on the ESP32: ticks_us wraps every 17.9 minutes
_TICKS_HALF = _TICKS_PERIOD >> 1


def _view(buffer: Any, element: Literal["B", "H", "I"], size: int) -> memoryview:
    octets = memoryview(buffer).cast("B")
    return octets[: len(octets) // size * size].cast(element)


def ptr8(buffer: Any) -> memoryview:
    return _view(buffer, "B", 1)


def ptr16(buffer: Any) -> memoryview:
    return _view(buffer, "H", 2)


def ptr32(buffer: Any) -> memoryview:
    return _view(buffer, "I", 4)


class uint(int):
    """Viper's unsigned word; a buffer's address counts as 0, that is as aligned."""

    def __new__(cls, value: object) -> "uint":
        return super().__new__(cls, value if isinstance(value, int) else 0)


def _viper(function: Callable[..., Any]) -> Callable[..., Any]:
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    casts = [function.__annotations__.get(name) for name in names]
    casts = [cast if cast in (ptr8, ptr16, ptr32) else None for cast in casts]

    @functools.wraps(function)
    def call(*values: Any) -> Any:
        # strict: a wrong number of arguments is an error here, as it is on the board.
        pairs = zip(values, casts, strict=True)
        return function(*[cast(value) if cast else value for value, cast in pairs])

    return call


def _unchanged(thing: Any) -> Any:
    return thing


def _nothing(*_: Any) -> int:
    return 0


def _schedule(function: Callable[[Any], object], argument: Any) -> None:
    function(argument)


def _micropython() -> types.ModuleType:
    module = types.ModuleType("micropython", "MicroPython's own module, as far as Phantom uses it")
    members: dict[str, object] = {
        "const": _unchanged,
        "native": _unchanged,
        "viper": _viper,
        "schedule": _schedule,
    }
    for name in (
        "alloc_emergency_exception_buf",
        "heap_lock",
        "heap_locked",
        "heap_unlock",
        "kbd_intr",
        "mem_info",
        "opt_level",
    ):
        members[name] = _nothing
    module.__dict__.update(members)
    return module


def ticks_us() -> int:
    return time.monotonic_ns() // 1_000 & _TICKS_PERIOD - 1


def ticks_ms() -> int:
    return time.monotonic_ns() // 1_000_000 & _TICKS_PERIOD - 1


def ticks_add(ticks: int, delta: int) -> int:
    return ticks + delta & _TICKS_PERIOD - 1


def ticks_diff(end: int, start: int) -> int:
    """end - start, right while they are less than half a period apart."""
    return (end - start + _TICKS_HALF & _TICKS_PERIOD - 1) - _TICKS_HALF


def sleep_ms(duration_ms: int) -> None:
    time.sleep(max(duration_ms, 0) / 1_000)


def sleep_us(duration_us: int) -> None:
    time.sleep(max(duration_us, 0) / 1_000_000)


def async_sleep_ms(duration_ms: int) -> Awaitable[None]:
    return asyncio.sleep(max(duration_ms, 0) / 1_000)


def memory_in_use() -> int:
    """`gc.mem_alloc`: the most that the process has held, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory_free() -> int:
    """`gc.mem_free`: what the machine has left, bytes."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def ilistdir(folder: str) -> Iterator[tuple[str, int, int, int]]:
    """(name, type, inode, bytes) of what is in a folder."""
    with os.scandir(folder) as entries:
        for entry in entries:
            kind = 0x4000 if entry.is_dir() else 0x8000
            yield entry.name, kind, 0, entry.stat().st_size


def install() -> None:
    """Make firmware modules importable; harmless to call again or on MicroPython's own modules."""
    # Blinka brings a module of this name, too, which refuses viper.
    known = getattr(sys.modules.get("micropython"), "viper", None)
    if sys.implementation.name != "micropython" and known is not _viper:
        sys.modules["micropython"] = _micropython()
    for pointer in (ptr8, ptr16, ptr32, uint):
        builtins.__dict__.setdefault(pointer.__name__, pointer)
    for function in (ticks_us, ticks_ms, ticks_add, ticks_diff, sleep_ms, sleep_us):
        if not hasattr(time, function.__name__):
            setattr(time, function.__name__, function)
    if not hasattr(asyncio, "sleep_ms"):
        asyncio.__dict__["sleep_ms"] = async_sleep_ms
    os.__dict__.setdefault("ilistdir", ilistdir)
    gc.__dict__.setdefault("mem_alloc", memory_in_use)
    gc.__dict__.setdefault("mem_free", memory_free)

"""MicroPython's wrapping ticks, also where time has none: for what runs on boards and on boxes."""

try:
    from time import ticks_diff  # pyright: ignore[reportAssignmentType, reportUnusedImport]
except ImportError:  # CPython
    _PERIOD = 1 << 30  # as on an ESP32
    _HALF = 1 << 29

    def ticks_diff(end, start):
        """end - start, right while they are less than half a period apart."""
        return (end - start + _HALF & _PERIOD - 1) - _HALF

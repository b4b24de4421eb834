"""What runs for every block of sound computes nothing that a board would have to allocate."""

from __future__ import annotations

import pytest

from tests.firmware.small_ints import Watcher, watched

_OVER = (
    "test_chime",
    "test_clock",
    "test_cursor",
    "test_house_time",
    "test_line",
    "test_link_end",
    "test_playback",
    "test_renderer",
    "test_ring",
    "test_volume",
    "test_wire",
)

# Where integers are large, and how often that is.
_HOUSE_TIME = "64 bits of house time: once an exchange or an anchor, some ten times a second"
_COMMAND = "once a command"
_RARE = {
    ("phantom.chime", "Chime._play"): _COMMAND,
    ("phantom.clock", "HouseClock._drift_x64"): _HOUSE_TIME,
    ("phantom.clock", "HouseClock._move_base"): _HOUSE_TIME,
    ("phantom.clock", "HouseClock.house_us"): _HOUSE_TIME,
    ("phantom.clock", "HouseClock.sample"): _HOUSE_TIME,
    ("phantom.clock", "HouseClock.unwrap"): _HOUSE_TIME,
    ("phantom.clock", "_time"): _HOUSE_TIME,
    ("phantom.line", "Line._regress"): "sums over a minute: once a fit, four times a second",
    ("phantom.playback", "Playback._open"): _COMMAND,
    ("phantom.volume", "gain_q15"): _COMMAND,
    ("phantom.wire.mux", "room"): "counts modulo 2**32: once a message that is sent",
}


def test_only_what_runs_rarely_computes_large_integers() -> None:
    with watched(*_OVER) as (watcher, modules):
        for module in modules:
            for name in dir(module):
                if name.startswith("test_"):
                    getattr(module, name)()
    faults = [
        f"{module}, line {line}: {function} computes {value}, which a board allocates: keep it "
        f"within 31 bits, or, if it runs rarely, enter it into _RARE with how often that is"
        for (module, function), (value, line) in sorted(watcher.large.items())
        if (module, function) not in _RARE
    ]
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)
    assert not _RARE.keys() - watcher.large.keys()  # nothing is excused any more that needs it not
    assert watcher.looked_at > 1_000_000


@pytest.mark.parametrize("value", [(1 << 30) - 1, -(1 << 30)])
def test_a_small_integer_has_31_bits(value: int) -> None:
    watcher = Watcher()
    assert watcher.see(value, "phantom.x", "f", 1) == value
    assert not watcher.large
    beyond = value + (1 if value > 0 else -1)
    watcher.see(beyond, "phantom.x", "f", 2)
    watcher.see(1, "phantom.x", "f", 3)
    assert watcher.large == {("phantom.x", "f"): (beyond, 2)}

"""What reports say of the last seconds."""

from typing import Any

from storagebox.coordinator.readings import STALE_S, WINDOW_S, Readings, Window


def reports(readings: Readings, count: int, start_s: float = 0.0, **rates: Any) -> float:
    """`count` reports, two a second; whole-number rates are added a report, others are kept."""
    now_s = start_s
    for number in range(count):
        now_s = start_s + number / 2
        counted = {k: v * number if isinstance(v, int) else v[0] for k, v in rates.items()}
        readings.take({"state": "playing", "stream": 7, **counted}, now_s)
    return now_s


def test_without_reports_nothing_is_known():
    assert Readings().window(0.0) == Window()


def test_counters_become_what_was_added_in_the_window():
    readings = Readings()
    now_s = reports(readings, 40, underruns=2, late_chunks=1)
    window = readings.window(now_s)
    assert window.reports == 2 * WINDOW_S + 1
    assert (window.underruns, window.late_chunks) == (40, 20)


def test_reports_of_long_ago_say_nothing_of_now():
    readings = Readings()
    now_s = reports(readings, 4, underruns=2)
    assert readings.window(now_s + STALE_S - 0.1).reports == 4
    assert readings.window(now_s + STALE_S + 0.1) == Window()


def test_a_device_that_restarted_counts_from_nothing():
    readings = Readings()
    now_s = reports(readings, 4, underruns=5)
    reports(readings, 2, now_s + 0.5, underruns=1)
    assert readings.window(now_s + 1).underruns == 1


def test_what_is_forgiven_is_not_counted_again():
    readings = Readings()
    now_s = reports(readings, 4, underruns=1)
    readings.forgive()
    assert readings.window(now_s).underruns == 0
    readings.take({"state": "playing", "stream": 7, "underruns": 4}, now_s + 0.5)
    assert readings.window(now_s + 0.5).underruns == 1


def test_played_blocks_count_from_when_this_stream_was_first_heard_of():
    readings = Readings()
    now_s = reports(readings, 4, stream=(6,), played_blocks=93)
    now_s = reports(readings, 5, now_s + 0.5, played_blocks=93)
    window = readings.window(now_s)
    assert (window.played_blocks, window.played_for_s) == (4 * 93, 2.0)


def test_a_stream_opened_anew_counts_anew():
    readings = Readings()
    now_s = reports(readings, 4, played_blocks=93)
    reports(readings, 2, now_s + 0.5, played_blocks=0)
    assert readings.window(now_s + 1).played_blocks == 0


def test_without_a_stream_or_without_the_count_nobody_knows_what_was_played():
    readings = Readings()
    readings.take({"state": "idle", "stream": None, "played_blocks": 0}, 0.0)
    assert readings.window(0.0).played_blocks is None
    readings.take({"state": "playing", "stream": 7}, 0.5)
    assert readings.window(0.5).played_blocks is None


def test_the_least_buffer_counts_only_while_it_played():
    readings = Readings()
    for state, held in (("waiting", 3), ("playing", 90), ("playing", 40), ("starved", 0)):
        readings.take({"state": state, "buffer_ms": held}, 0.0)
    assert readings.window(0.0).buffer_min_ms == 40

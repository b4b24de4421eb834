"""DTR and RTS reset a board into its loader or into its firmware, as adapters drive them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from boards.emulated.rom.auto_reset import EN_RISE_SECONDS, AutoReset


def drive(*steps: tuple[str, float]) -> list[str]:
    """Steps are "D1", "R0" and the time they are taken at; what the chip started into."""
    circuit = AutoReset()
    dtr = rts = False
    starts: list[str | None] = []
    for step, now in steps:
        dtr = step[1] == "1" if step[0] == "D" else dtr
        rts = step[1] == "1" if step[0] == "R" else rts
        starts += [circuit.due(now), circuit.lines(dtr, rts, now)]
    starts.append(circuit.due(steps[-1][1] + 10))
    return [start for start in starts if start]


def test_the_classic_sequence_enters_the_loader_though_the_lines_change_one_by_one():
    steps = [("D0", 0.0), ("R1", 0.01), ("D1", 0.11), ("R0", 0.15), ("D0", 0.2)]
    assert drive(*steps) == ["download"]


def test_a_pulse_of_rts_alone_runs_what_is_in_flash():
    assert drive(("R1", 0.0), ("R0", 0.1)) == ["run"]


def test_lines_that_come_too_late_run_what_is_in_flash():
    late = 0.11 + EN_RISE_SECONDS + 0.1
    assert drive(("R1", 0.0), ("D1", 0.11), ("R0", late), ("D0", late + 0.1)) == ["run"]


def test_a_terminal_that_opens_the_port_with_both_lines_asserted_resets_nothing():
    assert drive(("D1", 0.0), ("R1", 0.0), ("R0", 1.0), ("D0", 1.0)) == []


@given(st.lists(st.tuples(st.sampled_from(["D0", "D1", "R0", "R1"]), st.floats(0, 1))))
def test_there_is_a_start_for_every_end_of_a_reset_that_lasts(steps: list[tuple[str, float]]):
    now, timed = 0.0, []
    for step, pause in steps:
        now += pause
        timed.append((step, now))
    if not timed:
        return
    held = [False]
    dtr = rts = False
    for step, _ in timed:
        dtr = step[1] == "1" if step[0] == "D" else dtr
        rts = step[1] == "1" if step[0] == "R" else rts
        held.append(rts and not dtr)
    ends = sum(before and not after for before, after in pairwise(held))
    assert len(drive(*timed)) <= ends
    if ends and not held[-1]:
        assert drive(*timed)

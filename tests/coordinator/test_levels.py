"""The volume rule, for any volumes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.coordinator import levels

LEVEL = st.integers(0, levels.STEPS).map(levels.from_steps)
PARTS = st.lists(LEVEL, min_size=1, max_size=8)
CLOSE = 1e-6


@pytest.mark.parametrize(
    ("before", "target", "after"),
    [
        ([80, 40], 80, [100, 60]),
        ([80, 40], 90, [100, 80]),
        ([80, 40], 20, [40, 0]),
        ([80, 40], 10, [20, 0]),
        ([50, 0], 40, [80, 0]),
        ([50, 0], 90, [100, 0]),
        ([0, 0, 0], 30, [30, 30, 30]),
        ([70], 120, [100]),
        ([70], -5, [0]),
    ],
)
def test_examples(before: list[float], target: float, after: list[float]):
    assert levels.set_mean(before, target) == pytest.approx(after)


@given(PARTS, LEVEL)
def test_the_mean_is_reached_unless_a_part_that_is_off_stands_in_the_way(
    parts: list[float], target: float
):
    after = levels.set_mean(parts, target)
    heard = [level for level in parts if level > 0] or parts
    most = levels.FULL * len(heard) / len(parts)
    assert levels.mean(after) == pytest.approx(min(target, most), abs=CLOSE)


@given(PARTS, LEVEL)
def test_every_part_stays_within_limits_and_off_ones_stay_off(parts: list[float], target: float):
    after = levels.set_mean(parts, target)
    assert all(0.0 <= level <= levels.FULL for level in after)
    if any(parts):
        assert all(new == 0 for old, new in zip(parts, after, strict=True) if old == 0)


@given(PARTS, LEVEL)
def test_parts_off_the_limits_all_move_alike_and_nobody_overtakes(
    parts: list[float], target: float
):
    after = levels.set_mean(parts, target)
    moved = [
        new - old for old, new in zip(parts, after, strict=True) if 0 < new < levels.FULL and old
    ]
    assert not moved or max(moved) - min(moved) <= CLOSE
    pairs = sorted(zip(parts, after, strict=True))
    assert all(low[1] <= high[1] + CLOSE for low, high in pairwise(pairs))


@given(PARTS, LEVEL)
def test_the_same_target_again_changes_nothing(parts: list[float], target: float):
    once = levels.set_mean(parts, target)
    assert levels.set_mean(once, target) == pytest.approx(once, abs=CLOSE)


@given(st.lists(st.lists(LEVEL, min_size=1, max_size=2), min_size=1, max_size=6), LEVEL)
def test_a_group_of_rooms_is_set_room_by_room(tree: list[list[float]], target: float):
    after = levels.set_tree(tree, target)
    assert [len(room) for room in after] == [len(room) for room in tree]
    if all(level > 0 for room in tree for level in room):
        assert levels.tree_mean(after) == pytest.approx(target, abs=CLOSE)
    assert levels.set_tree(after, levels.tree_mean(after)) == [
        pytest.approx(room, abs=CLOSE) for room in after
    ]


def test_a_whole_is_muted_when_all_of_it_is():
    assert levels.muted([True, True])
    assert not levels.muted([True, False])
    assert not levels.muted([])


@given(st.integers(0, levels.STEPS))
def test_steps_come_back_as_they_were(steps: int):
    assert levels.to_steps(levels.from_steps(steps)) == steps


def test_a_little_is_not_off():
    assert levels.to_steps(0.001) == 1
    assert levels.to_steps(0) == 0


def test_nothing_has_no_volume():
    with pytest.raises(ValueError, match="no volume"):
        levels.mean([])

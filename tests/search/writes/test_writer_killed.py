"""A process that writes is killed at random moments: see tools/bench/search_kills.py."""

from __future__ import annotations

from pathlib import Path

from tools.bench import search_kills
from tools.bench.search_writer import MOVER, Held


def test_nothing_acknowledged_is_lost_and_nothing_is_applied_twice(tmp_path: Path) -> None:
    found = search_kills.run(kills=4, writers=3, seed=7, folder=tmp_path)
    assert found["faults"] == []
    assert (found["lost"], found["applied_twice"]) == (0, 0)
    assert found["acknowledged"] > 20
    assert found["checked"] >= 2


def test_the_tally_notices_what_would_be_wrong() -> None:
    def tally(
        numbers: list[int], count: int, *, replica: bool = True, hops: tuple[int, int] = (1, 2)
    ) -> search_kills.Tally:
        made = search_kills.Tally(acknowledged={"w": 3, MOVER: 3})
        made.check(Held(1.0, {"w": numbers}, {"w": count}, replica, hops, 0))
        return made

    assert not tally([1, 2, 3], 3).faults
    assert tally([1, 2, 3, 4], 4).unanswered == 1
    assert tally([1, 3], 2).lost == 1
    assert tally([1, 2, 2, 3], 4).twice == 1
    assert tally([1, 2, 3], 4).faults
    assert tally([1, 3, 2], 3).faults
    assert tally([1, 2, 3], 3, replica=False).faults
    assert tally([1, 2, 3], 3, hops=(1, 1)).faults

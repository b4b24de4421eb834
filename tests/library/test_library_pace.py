"""Reading takes its share of a core and no more; passes come seldom where they take long."""

from __future__ import annotations

from typing import Any

from storagebox.library.keeping import MAX_PAUSE_S, MIN_PAUSE_S, Keeping
from storagebox.library.pace import Pace
from storagebox.library.updating import NoMusic, Outcome
from storagebox.search.writes.refused import Refused


def test_work_is_followed_by_as_much_rest_as_the_share_asks():
    clock = {"worked": 0.0, "now": 0.0}
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock["now"] += seconds

    pace = Pace(pause, 0.25, lambda: clock["worked"], lambda: clock["now"])
    for _ in range(100):
        clock["worked"] += 0.01
        clock["now"] += 0.015  # a disk that is waited for counts as rest
        pace.rest()
    assert abs(clock["worked"] / clock["now"] - 0.25) < 0.01
    assert 30 < len(pauses) <= 50  # not one for each


class _Scripted:
    """Updates as told; for a person, only what is told counts."""

    def __init__(self, *results: Any) -> None:
        self.results = list(results)

    def update(self) -> Outcome:
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def counts(self) -> dict[str, int]:
        return {"tracks": 6}


def told(*results: Any) -> tuple[list[str], list[float]]:
    events: list[str] = []
    pauses: list[float] = []
    scripted = _Scripted(*results)

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return not scripted.results

    def tell(event: str, **fields: Any) -> None:
        events.append(f"{event} {fields.get('reason') or fields['new']}")

    Keeping(scripted, scripted, wait, tell).run()  # type: ignore[arg-type]
    return events, pauses


def test_only_news_are_told_and_trouble_once():
    away, full = NoMusic("/m: it is empty"), Refused("no room", 507)
    events, pauses = told(
        Outcome(new=6), Outcome(), Outcome(), away, away, Outcome(), Outcome(new=1), full
    )
    assert events == [
        "library.read 6",
        "library.waits /m: it is empty",
        "library.read 0",
        "library.read 1",
        "library.waits nothing can be kept now: no room",
    ]
    assert all(MIN_PAUSE_S <= pause <= MAX_PAUSE_S for pause in pauses)

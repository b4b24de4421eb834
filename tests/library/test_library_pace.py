"""Reading takes its share of a core and no more; passes come seldom where they take long."""

from __future__ import annotations

from typing import Any

from storagebox.library.keeping import LOOK_S, MAX_PAUSE_S, Keeping
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
    """Updates as told, each pass taking `took_s` of a clock that waiting moves on."""

    def __init__(self, *results: Any, took_s: float = 0.0, stirred: bool = False) -> None:
        self.results = list(results)
        self.events: list[str] = []
        self.passes_s: list[float] = []
        self._took_s = took_s
        self._stirred = stirred
        self._now_s = 0.0

    def update(self) -> Outcome:
        self.passes_s.append(self._now_s)
        self._now_s += self._took_s
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def stirred(self) -> bool:
        return self._stirred

    def counts(self) -> dict[str, int]:
        return {"tracks": 6}

    def run(self) -> None:
        Keeping(self, self, self._wait, self._tell, lambda: self._now_s).run()  # type: ignore[arg-type]

    def _wait(self, seconds: float) -> bool:
        self._now_s += seconds
        return not self.results

    def _tell(self, event: str, **fields: Any) -> None:
        self.events.append(f"{event} {fields.get('reason') or fields['new']}")


def test_only_news_are_told_and_trouble_once():
    away, full = NoMusic("/m: it is empty"), Refused("no room", 507)
    scripted = _Scripted(
        Outcome(new=6), Outcome(), Outcome(), away, away, Outcome(), Outcome(new=1), full
    )
    scripted.run()
    assert scripted.events == [
        "library.read 6",
        "library.waits /m: it is empty",
        "library.read 0",
        "library.read 1",
        "library.waits nothing can be kept now: no room",
    ]


def apart_s(took_s: float, *, stirred: bool) -> float:
    """Between the end of a pass and the beginning of the next."""
    scripted = _Scripted(Outcome(), Outcome(), took_s=took_s, stirred=stirred)
    scripted.run()
    first_s, second_s = scripted.passes_s
    return second_s - first_s - took_s


def test_a_pass_that_takes_long_comes_seldom_unless_files_have_come_or_gone():
    assert apart_s(0.01, stirred=False) == LOOK_S
    assert apart_s(2, stirred=False) == 100
    assert apart_s(2, stirred=True) == 20
    assert apart_s(0.2, stirred=True) == LOOK_S
    assert apart_s(100, stirred=False) == MAX_PAUSE_S

"""What the balancer is to reach, held against what a bench has measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_UNEQUAL = "4 of 12 servers half as fast"
_TAIL, _EVEN = 8.5, 1.10
_HEDGED = "P2C, own in-flight, hedges"


def goals(experiments: Iterable[Json]) -> list[dict[str, Any]]:
    """Each goal that the experiments tell of: what it is, what was found, whether it is met."""
    tells = {"arc": _arc, "policies": _policies, "stall": _stall, "antagonists": _antagonists}
    return [
        goal
        for experiment in experiments
        if experiment["experiment"] in tells
        for goal in tells[experiment["experiment"]](experiment["cases"])
    ]


def _arc(cases: Sequence[Json]) -> list[dict[str, Any]]:
    equal, unequal = cases
    subset, window, mesh = (
        (_mean(equal, name, "max_over_mean"), _mean(equal, name, "p99"))
        for name in ("random subset RR", "sliding window RR", "full-mesh RR")
    )
    blind = _mean(unequal, "full-mesh RR", "p99")
    weighted = _mean(unequal, "smooth WRR, true weights", "p99")
    return [
        _goal(
            "a random subset is uneven",
            f"max/mean {subset[0]:.2f} against {mesh[0]:.2f} of the mesh",
            subset[0] > 1.3 > 1.1 > mesh[0],
        ),
        _goal(
            "a sliding window is as even as the mesh, with a longer tail",
            f"max/mean {window[0]:.2f}, p99 {window[1]:.1f} against {mesh[1]:.1f}",
            window[0] < mesh[0] + 0.05 and window[1] > 1.2 * mesh[1],
        ),
        _goal(
            "on unequal servers the mesh saturates, and weights mend it",
            f"p99 {blind:.0f} without, {weighted:.1f} with them",
            blind > 10 * weighted,
        ),
    ]


def _policies(cases: Sequence[Json]) -> list[dict[str, Any]]:
    case = next(each for each in cases if each["label"] == _UNEQUAL)
    unweighted = [row["policy"] for row in case["rows"] if "true weights" not in row["policy"]]
    even = [name for name in unweighted if _mean(case, name, "max_over_mean") <= _EVEN]
    best = min(even or unweighted, key=lambda name: _mean(case, name, "p99"))
    p99, evenness = _mean(case, best, "p99"), _mean(case, best, "max_over_mean")
    return [
        _goal(
            "unequal servers without configured weights: p99 <= 8.5, max/mean <= 1.10",
            f"{best}: p99 {p99:.2f}, max/mean {evenness:.3f}",
            p99 <= _TAIL and evenness <= _EVEN,
        )
    ]


def _stall(cases: Sequence[Json]) -> list[dict[str, Any]]:
    calm, stalled = cases
    before, during = (_mean(case, _HEDGED, "p999") for case in (calm, stalled))
    lost = sum(_mean(stalled, _HEDGED, name) for name in ("late", "failed", "lost"))
    return [
        _goal(
            "one of three stalls: p99.9 within 2x, no request lost",
            f"{_HEDGED}: p99.9 {during:.1f} against {before:.1f}, {lost:.0f} lost",
            during <= 2 * before and lost == 0,
        )
    ]


def _antagonists(cases: Sequence[Json]) -> list[dict[str, Any]]:
    late = {
        name: [_mean(case, name, "late") for case in cases]
        for name in ("WRR, reported weights", "Prequal")
    }
    fails = next(
        (
            case["label"]
            for case, count in zip(cases, late["WRR, reported weights"], strict=True)
            if count > 0
        ),
        "never",
    )
    return [
        _goal(
            "no errors at the deadline where weighted round robin fails",
            f"Prequal {sum(late['Prequal']):.0f} at all loads; weighted from {fails}",
            sum(late["Prequal"]) == 0 and fails != "never",
        )
    ]


def _mean(case: Json, policy: str, figure: str) -> float:
    row = next(each for each in case["rows"] if each["policy"] == policy)
    return row["figures"][figure]["mean"]


def _goal(goal: str, found: str, met: bool) -> dict[str, Any]:
    return {"goal": goal, "found": found, "met": met}

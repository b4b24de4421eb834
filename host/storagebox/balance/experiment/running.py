"""Runs experiments: every contender with every seed, on as many processors as there are."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from typing import Any

from storagebox.balance.experiment.experiment import Experiment
from storagebox.balance.experiment.summary import over_seeds

Progress = Callable[[int, int, str], None]
"""Runs done, runs in all, what was done last."""


@dataclass(frozen=True, slots=True)
class _Run:
    experiment: str
    case: int
    contender: int
    seed: int
    requests: int


def silent(done: int, total: int, what: str) -> None:
    """Tells nobody."""


def run(
    experiment: Experiment, seeds: int, requests: int, progress: Progress = silent
) -> dict[str, Any]:
    """All figures of an experiment, as one JSON object.

    Args:
        experiment: one of `experiments.EXPERIMENTS`.
        seeds: how many, from 1.
        requests: of each run.
        progress: is told after each run.
    """
    runs = [
        _Run(experiment.name, case, contender, seed, requests)
        for case in range(len(experiment.cases))
        for contender in range(len(experiment.cases[case].measured.names))
        for seed in range(1, seeds + 1)
    ]
    figures: dict[_Run, dict[str, float]] = {}
    for one, measured in _measured(experiment, runs):
        figures[one] = measured
        case = experiment.cases[one.case]
        progress(len(figures), len(runs), case.measured.names[one.contender])
    return {
        "experiment": experiment.name,
        "question": experiment.question,
        "seeds": seeds,
        "requests": requests,
        "cases": [
            {
                "label": case.label,
                "setting": case.measured.setting,
                "rows": [
                    {
                        "policy": name,
                        "figures": over_seeds(
                            [
                                figures[_Run(experiment.name, at, contender, seed, requests)]
                                for seed in range(1, seeds + 1)
                            ]
                        ),
                    }
                    for contender, name in enumerate(case.measured.names)
                ],
            }
            for at, case in enumerate(experiment.cases)
        ],
    }


def _measured(
    experiment: Experiment, runs: Iterable[_Run]
) -> Iterator[tuple[_Run, dict[str, float]]]:
    processors = len(os.sched_getaffinity(0))
    if experiment.alone or processors == 1:
        for one in runs:
            yield one, _measure(one)
        return
    before = set(active_children())
    with ProcessPoolExecutor(
        processors,
        mp_context=get_context("forkserver"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_DFL),  # ends without a word
    ) as pool:
        pending = {pool.submit(_measure, one): one for one in runs}
        try:
            for future in as_completed(pending):
                yield pending[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(active_children()) - before:
                child.terminate()
            raise


def _measure(one: _Run) -> dict[str, float]:
    from storagebox.balance.experiment.experiments import EXPERIMENTS

    case = EXPERIMENTS[one.experiment].cases[one.case]
    return case.measured.measure(one.contender, one.seed, one.requests)

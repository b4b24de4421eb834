"""Runs experiments: every contender with every seed, on as many processors as there are."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children
from typing import Any

from storagebox.balance.experiment.experiment import Experiment
from storagebox.balance.experiment.real_server import forking
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


@contextmanager
def processes() -> Generator[Executor | None]:
    """One for each processor, to run one experiment after another in; none if there is but one."""
    count = len(os.sched_getaffinity(0))
    if count == 1:
        yield None
        return
    before = set(active_children())
    with ProcessPoolExecutor(
        count,
        mp_context=forking(),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_DFL),  # ends without a word
    ) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(active_children()) - before:
                child.terminate()
            raise


def run(
    experiment: Experiment,
    seeds: int,
    requests: int,
    progress: Progress = silent,
    pool: Executor | None = None,
) -> dict[str, Any]:
    """All figures of an experiment, as one JSON object.

    Args:
        experiment: one of `experiments.EXPERIMENTS`.
        seeds: how many, from 1.
        requests: of each run.
        progress: is told after each run.
        pool: where runs go that may go beside each other; `None`: one after the other, here.
    """
    runs = [
        _Run(experiment.name, case, contender, seed, requests)
        for case in range(len(experiment.cases))
        for contender in range(len(experiment.cases[case].measured.names))
        for seed in range(1, seeds + 1)
    ]
    figures: dict[_Run, dict[str, float]] = {}
    for one, measured in _measured(runs, None if experiment.alone else pool):
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
    runs: Iterable[_Run], pool: Executor | None
) -> Iterator[tuple[_Run, dict[str, float]]]:
    if pool is None:
        for one in runs:
            yield one, _measure(one)
        return
    pending = {pool.submit(_measure, one): one for one in runs}
    for future in as_completed(pending):
        yield pending[future], future.result()


def _measure(one: _Run) -> dict[str, float]:
    from storagebox.balance.experiment.experiments import EXPERIMENTS

    case = EXPERIMENTS[one.experiment].cases[one.case]
    return case.measured.measure(one.contender, one.seed, one.requests)

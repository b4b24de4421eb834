"""An experiment: a question, cases, and ways to balance that are measured in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from storagebox.balance.experiment import stage
from storagebox.balance.experiment.scenario import Contender, Scenario
from storagebox.balance.experiment.summary import summarise


@dataclass(frozen=True, slots=True)
class Column:
    """A figure as tables show it.

    Args:
        figure: its name in a run's figures.
        heading: of the column.
        form: a format of the mean over seeds.
        spread: show least and greatest, too.
    """

    figure: str
    heading: str
    form: str = ".2f"
    spread: bool = False


class Measured(Protocol):
    """What can be measured for several contenders, run by run."""

    @property
    def names(self) -> Sequence[str]:
        """Of the contenders."""
        ...

    @property
    def setting(self) -> dict[str, Any]:
        """What was set up, for JSON."""
        ...

    def measure(self, contender: int, seed: int, requests: int) -> dict[str, float]:
        """One run's figures."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """One setting of an experiment.

    Args:
        label: for people.
        measured: what is measured there.
    """

    label: str
    measured: Measured


@dataclass(frozen=True, slots=True)
class Experiment:
    """A question and how it is put.

    Args:
        name: on the command line.
        question: in one sentence.
        cases: where it is measured.
        columns: what a table shows.
        panels: figures that a plot shows.
        ramp: if given, what each case's number is, and a plot shows figures over these.
        requests: of a quick run.
        full_requests: of the bench's.
        alone: it keeps time, so nothing may run beside it.
    """

    name: str
    question: str
    cases: Sequence[Case]
    columns: Sequence[Column]
    panels: Sequence[str] = ("max_over_mean", "p99")
    ramp: Sequence[float] = ()
    requests: int = 30_000
    full_requests: int = 40_000
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Simulated:
    """A scenario, simulated."""

    scenario: Scenario
    contenders: Sequence[Contender] = field(default_factory=tuple[Contender, ...])

    @property
    def names(self) -> Sequence[str]:
        return [contender.name for contender in self.contenders]

    @property
    def setting(self) -> dict[str, Any]:
        scenario = self.scenario
        return {
            **scenario.setting,
            "deadline_s": scenario.deadline_s,
            "deadline_enforced": scenario.enforced,
        }

    def measure(self, contender: int, seed: int, requests: int) -> dict[str, float]:
        scenario = replace(self.scenario, requests=requests)
        trace = stage.run(scenario, self.contenders[contender], seed)
        return summarise(trace, scenario.service_s, scenario.deadline_s)

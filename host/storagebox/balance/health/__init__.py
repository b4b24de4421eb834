"""Who is well: what decides whether an endpoint may be chosen.

Several things say something about a server: its registry, active checks, how its requests end,
whether it drains. They are kept apart, each in its own state, and `Health.assess` derives from all
of them who is eligible; none writes another's state, so none can undo what another found.

    registry    endpoint.ready, endpoint.weight          `resolver`
    checks      well, degraded or failing                `checks`, run by `checking`
    ejection    failures in a row, or more than others   `ejection`
    overload    answers of "not now"                     `overload`
    slow start  how long it has been well                `slow_start`

`trust` joins them: the first three decide whether a server is chosen, all but the first how much
of its weight it gets, and `panic` what happens when nobody is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.health.checks import Finding
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome


@dataclass(frozen=True, slots=True)
class Assessment:
    """Who may be chosen, at one moment.

    Args:
        eligible: whom the picker is made of; in the order given, their `weight` set. Empty only if
            there are no nodes, or all drain.
        probation: whom one request may try, because they were ejected and their time is over.
        overdue: of these, whom nobody tried for long: so may one that can't be repeated.
        panic: too few are well, so health is disregarded: load on dead servers hurts less than all
            load on the last.
        again_s: when to assess anew although nothing happens; `inf` if never.
    """

    eligible: tuple[Node, ...]
    probation: tuple[Node, ...]
    panic: bool
    again_s: float
    overdue: tuple[Node, ...] = ()


class Health(Protocol):
    """Keeps each node's state in `node.health` and derives who is eligible."""

    def joined(self, node: Node, now: float, random: Random, *, first: bool) -> None:
        """A server has come; `first`: with the first membership, when none needs sparing."""
        ...

    def left(self, node: Node) -> None:
        """It has gone, or moved to another address; nothing more will be told of it."""
        ...

    def changed(self, node: Node, previous: Endpoint, now: float) -> None:
        """Its registry describes it otherwise than before: another status, weight or zone."""
        ...

    def checked(self, node: Node, finding: Finding, now: float) -> bool:
        """What active checks find of it now. True if that may change who is eligible, and how."""
        ...

    def began(self, node: Node, now: float, *, trial: bool) -> bool:
        """A request goes to it; a `trial` is to see whether one on probation has recovered.

        True if that may change who is eligible or on probation.
        """
        ...

    def outpaced(self, node: Node, began_s: float, now: float, *, trial: bool) -> bool:
        """A request that began at `began_s` has no answer yet, and one sent later elsewhere has.

        True if that changes who is eligible or on probation. How it ends is still to be told.
        """
        ...

    def ended(
        self,
        node: Node,
        outcome: Outcome,
        began_s: float,
        now: float,
        *,
        trial: bool,
        report: LoadReport | None,
    ) -> float:
        """A request that began at `began_s` has ended. When to assess anew; `inf`: not for it."""
        ...

    def assess(self, nodes: Sequence[Node], now: float) -> Assessment:
        """Who may be chosen now. It changes nothing but each node's `weight`."""
        ...

    def why(self, node: Node, now: float) -> str:
        """What state it is in: "well", "ejected for 3 s more: 5 failures in a row"."""
        ...

"""Who is next: a policy a module, and what all of them share.

A *policy* is a value, the name and parameters of a way to choose. For each membership it makes a
*picker*, a snapshot that never changes its servers; when one joins, leaves, is ejected or weighs
otherwise, the balancer swaps the whole picker. So a pick looks at no flags and takes no decisions
but its own.

    needs nothing from servers
        round_robin, uniform_random    all alike
        windowed                       some of all alike, one window after the other
        weighted_random, stride, smooth    by weight, as configured or registered
        least_request, power_of_two    by one's own requests, or what they take
        aperture                       of a slice of the servers for each client
        rendezvous_bounded             keys that stay at one server
    needs servers that tell their load (`reporting`)
        least_expected_wait            the default, which does without as well
        prequal                        by load probes
        reported_weights               round robin, weights learnt
    around another policy
        zone_first, subsetting         near servers, or a subset of all

How loaded a server is and how to choose by that are two questions. A `Measure` answers the first,
a picker the second.
"""

from collections.abc import Sequence
from random import Random
from typing import Protocol, runtime_checkable

from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome


class Picker(Protocol):
    """Chooses among the servers it was made with."""

    def pick(self, now: float, key: bytes | None) -> Node:
        """The server for one request.

        Args:
            now: monotonic seconds; never less than at an earlier call.
            key: what the request is about, for policies that keep a key at one server.

        It must not block, and never fails: there is at least one node, and any of them may be
        chosen.
        """
        ...


@runtime_checkable
class Prober(Protocol):
    """A picker that asks servers how they are, off the way of any request.

    Whoever sends (a transport, a simulator) asks `probes` after each pick, sends those probes
    while the request goes its own way, and hands over what they answer.
    """

    def probes(self, now: float) -> Sequence[Node]:
        """Whom to ask now, each once; they are due no longer."""
        ...

    def probed(self, node: Node, report: LoadReport, now: float) -> None:
        """A server has answered; one that doesn't, or not in time, is simply not heard of."""
        ...


class Measure(Protocol):
    """How loaded a server is. What it remembers of a node it keeps in `node.load`."""

    def fresh(self, now: float) -> object:
        """What `node.load` is for a server nothing is known of."""
        ...

    def ended(
        self, node: Node, latency_s: float, outcome: Outcome, report: LoadReport | None, now: float
    ) -> None:
        """A request has ended, `latency_s` after its pick; `in_flight` counts it no longer."""
        ...

    def load(self, node: Node, now: float) -> float:
        """Of two servers, the one with less is better. Never NaN."""
        ...


class Policy(Protocol):
    """A way to choose. Policies are frozen dataclasses whose fields are their parameters."""

    @property
    def measure(self) -> Measure | None:
        """What the balancer keeps up to date, if more than requests in flight is needed."""
        ...

    @property
    def refresh_s(self) -> float | None:
        """How often a new picker is made although nobody came or went; `None`: never."""
        ...

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        """A picker of these servers.

        Args:
            nodes: at least one, in the order of their ids, which all clients share. `node.weight`
                is `None` where nobody knows it (it counts as the mean), and never 0: what drains
                isn't among them.
            previous: the one this replaces, to carry over what should survive; `None` for the
                first.
            random: the client's own. A start position is drawn anew for each picker: counters that
                start alike send all clients to one server after every change.
        """
        ...

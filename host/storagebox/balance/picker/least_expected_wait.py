"""Where one more request would wait least, of six drawn: the policy to use if in doubt.

    (requests in flight at the server + own since its report + 1) / learnt capacity ^ bias

Requests in flight alone make a slow server as long a queue as a fast one, so its requests wait
longer: the tail is the slow servers'. Weights alone, even true ones, don't see queues. Divided by
each other they give the shortest waits (bias 1), at which the fast work harder than the slow.
The root (bias 0.5) lies between and has nearly all of the one and of the other.

In a simulation of 30 clients and 12 servers, 4 of them half as fast, at 75 % load (lognormal
work, mean of three seeds), 99 % of requests take at most 8.6 mean service times and the busiest
server is used 1.07 times the mean. Power of two choices by reported requests in flight has 11.2
and 1.13, round robin with true weights 10.0 and 1.04. Among equal servers: 6.7, 7.1 and 7.3.

If the best is idle, so that nobody would wait there, the request goes to any of those drawn that
are idle, by capacity ^ bias: capacities learnt of servers with little to do differ by chance, and
since more requests make a server look more capable (whatever else its processors do counts
less), one of three idle servers would else get nearly all of them.

A server that stands still tells nothing, so its last report stays good. That it is silent counts
as requests, too (`load.expected_wait`): among three servers of which one stands still for 2 s, it
catches a third of the requests that it would catch else.

Six choices, as reports are old: two of them say little. And not all: many clients with the same
old reports would go to the same server. With three servers all are looked at, with three hundred
six.

It needs nothing configured, and says nothing wrong where servers tell less:

    servers tell                       it is
    requests in flight, utilisation    least expected wait
    requests in flight                 the least of six by the server's count
    utilisation                        power of two by one's own count and learnt capacity
    nothing                            power of two by one's own count and configured weight, or
                                       the least of six where none is

If only some of those drawn tell, it is one's own count for all of them, else who tells nothing
would look idle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from statistics import median

from storagebox.balance.load.expected_wait import Expectation, ExpectedWait
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport
from storagebox.balance.picker import Picker
from storagebox.balance.picker.asking import Asking
from storagebox.balance.picker.power_of_two import Only, WeightedTwo
from storagebox.balance.picker.reported_weights import capacities
from storagebox.balance.picker.weights import alike, relative, weighing


@dataclass(frozen=True, slots=True)
class LeastExpectedWait:
    """Draws some different servers and takes the one with the least expected wait.

    Args:
        choices: how many; of fewer servers all.
        bias: how much capacity counts against requests in flight, 0 to 1: 0 makes queues equally
            long, 1 waits, and between them utilisation is equal.
        probes: load probes sent for each pick, for fresher reports; 0: reports come with answers
            only.
        refresh_s: capacities are learnt anew so often.
        blackout_s: how long a server must have told its capacity before it is believed. Short: one
            that has joined gets little at first anyway (slow start).
        expiry_s: a capacity told so long ago is forgotten.
        measure: keeps what servers tell.
    """

    choices: int = 6
    bias: float = 0.5
    probes: float = 0.0
    refresh_s: float = 1.0
    blackout_s: float = 1.0
    expiry_s: float = 180.0
    measure: ExpectedWait = field(default_factory=ExpectedWait)

    def __post_init__(self) -> None:
        if self.choices < 2:
            raise ValueError(f"least expected wait of {self.choices} choices: give 2 or more")
        if not (self.probes >= 0 and self.refresh_s > 0 and 0 <= self.bias <= 1):
            raise ValueError(
                "least expected wait: probes are 0 or more, bias is 0 to 1, refresh_s is above 0"
            )

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        weights = capacities(nodes, now, self.blackout_s, self.expiry_s) or relative(nodes)
        able, capacity = weighing(nodes, weights)
        if len(able) == 1:
            return Only(able[0])
        if self.probes:
            return _Probing(able, capacity, self, random)
        return _Waits(able, capacity, self, random)


class _Waits:
    __slots__ = (
        "_by_weight",
        "_capacity",
        "_choices",
        "_fading_s",
        "_max_age_s",
        "_n",
        "_nodes",
        "_random",
        "_usual",
    )

    def __init__(
        self,
        nodes: Sequence[Node],
        capacity: Sequence[float],
        policy: LeastExpectedWait,
        random: Random,
    ) -> None:
        self._nodes = nodes
        self._n = len(nodes)
        self._capacity = [weight**policy.bias for weight in capacity]
        self._usual = median(self._capacity)
        own = policy.measure.own
        self._by_weight = None if alike(capacity) else WeightedTwo(nodes, capacity, random, own)
        self._choices = min(policy.choices, len(nodes))
        self._random = random.random
        self._max_age_s = policy.measure.max_age_s
        self._fading_s = policy.measure.failure_s

    def pick(self, now: float, key: bytes | None) -> Node:
        # `ExpectedWait.load` and `own`, in one: this is the way of every request.
        nodes, capacities, random, n = self._nodes, self._capacity, self._random, self._n
        oldest_s = now - self._max_age_s
        drawn: list[int] = []
        best = best_own = idle = nodes[0]
        least = least_own = queue = inf
        idle_capacity = 0.0
        all_tell = True
        while len(drawn) < self._choices:
            i = int(random() * n)
            if i in drawn:
                continue
            drawn.append(i)
            node = nodes[i]
            told: Expectation = node.load
            own, capacity = node.in_flight, capacities[i]
            if told.failures and (failures := told.failing(now, self._fading_s)):
                own += failures
                capacity = min(capacity, self._usual)  # failing is no work, and looks like power
            if own and now - node.quiet_s > told.usual_s:
                own += told.silence(node, now)
            if own < least_own:
                best_own, least_own = node, own
            if told.in_flight < 0 or told.at_s < oldest_s:
                all_tell = False
                continue
            others = told.in_flight + node.picked - told.picked - node.in_flight
            if others > 0:
                own += others
            wait = (own + 1) / capacity
            if wait < least:
                best, least, queue = node, wait, own
            if not own:  # any of the idle, by capacity
                idle_capacity += capacity
                if random() * idle_capacity < capacity:
                    idle = node
        if all_tell:
            return best if queue else idle
        return best_own if self._by_weight is None else self._by_weight.pick(now, None)


class _Probing(_Waits):
    __slots__ = ("_asking", "_policy", "probes")

    def __init__(
        self,
        nodes: Sequence[Node],
        capacity: Sequence[float],
        policy: LeastExpectedWait,
        random: Random,
    ) -> None:
        super().__init__(nodes, capacity, policy, random)
        self._asking = Asking(nodes, policy.probes, random)
        self.probes = self._asking.probes
        self._policy = policy

    def pick(self, now: float, key: bytes | None) -> Node:
        self._asking.picks += 1
        return super().pick(now, key)

    def probed(self, node: Node, report: LoadReport, now: float) -> None:
        expectation: Expectation = node.load
        measure = self._policy.measure
        expectation.take(node, report, now)
        expectation.capacity.take(report, measure.penalty, now, measure.smoothing_s)

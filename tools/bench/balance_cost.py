"""What a balancer's decisions cost: picks a second on one core, of each policy, by servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from gc import disable, enable
from itertools import cycle
from random import Random
from time import process_time

from storagebox.balance import Balancer, Endpoint, LoadReport, Outcome
from storagebox.balance.load.peak_ewma import PeakEwma
from storagebox.balance.load.reported import ReportedInFlight
from storagebox.balance.node import Node
from storagebox.balance.picker import Picker, Policy, Prober
from storagebox.balance.picker.aperture import DeterministicAperture
from storagebox.balance.picker.least_expected_wait import LeastExpectedWait
from storagebox.balance.picker.least_request import LeastRequest
from storagebox.balance.picker.power_of_two import PowerOfTwo
from storagebox.balance.picker.prequal import Prequal
from storagebox.balance.picker.rendezvous_bounded import BoundedRendezvous
from storagebox.balance.picker.reported_weights import ReportedWeights
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.picker.smooth import SmoothWeightedRoundRobin
from storagebox.balance.picker.stride import StaticStride
from storagebox.balance.picker.subsetting import random_subset_round_robin
from storagebox.balance.picker.uniform_random import UniformRandom
from storagebox.balance.picker.weighted_random import WeightedRandom
from storagebox.balance.picker.windowed import WindowedRoundRobin
from storagebox.balance.picker.zone_first import ZoneFirst

SIZES = (3, 100, 10_000)
"""Servers."""
_WEIGHTS = (1.0, 2.0, 4.0)
"""As with three generations of servers."""
_KEYS = [b"key %d" % i for i in range(1024)]
_BATCH = 4096
_BATCHES = 5
_UNPROBED = 4
"""Picks between two lots of answers."""

POLICIES: Mapping[str, Policy] = {
    "round robin": RoundRobin(),
    "windowed round robin": WindowedRoundRobin(20, period_s=20.0),
    "random subset round robin": random_subset_round_robin(20, seed=1),
    "smooth weighted round robin": SmoothWeightedRoundRobin(),
    "static stride": StaticStride(),
    "uniform random": UniformRandom(),
    "weighted random": WeightedRandom(),
    "least request": LeastRequest(),
    "power of two, in flight": PowerOfTwo(),
    "power of two, peak EWMA": PowerOfTwo(PeakEwma()),
    "power of two, server's RIF": PowerOfTwo(ReportedInFlight()),
    "Prequal": Prequal(),
    "reported weights": ReportedWeights(blackout_s=0.0),
    "least expected wait": LeastExpectedWait(blackout_s=0.0),
    "deterministic aperture": DeterministicAperture(3, 10),
    "bounded rendezvous": BoundedRendezvous(),
    "zone first, power of two": ZoneFirst("a", PowerOfTwo()),
}

_CHEAP = (
    "round robin",
    "windowed round robin",
    "random subset round robin",
    "smooth weighted round robin",
    "static stride",
    "uniform random",
    "weighted random",
    "reported weights",
)
"""Look at no server's load, so what they cost doesn't depend on what servers do."""


def cost(sizes: Sequence[int] = SIZES) -> dict[str, dict[str, dict[str, float]]]:
    """Of each policy: `pick` alone, and `pick_and_done` with the balancer around it.

    Times are of the processor, not of a clock, so that other work on the machine counts little.
    Prequal also has `pick_and_probes`: with three servers drawn and their answers taken for each
    pick, which a transport does off its way.

    Returns:
        Policy, then which of these, then servers (as text, for JSON): times a second. About 10 s.
    """
    costs = {
        name: {
            "pick": {str(size): picks_per_second(policy, size) for size in sizes},
            "pick_and_done": {str(size): balanced_per_second(policy, size) for size in sizes},
        }
        for name, policy in POLICIES.items()
    }
    prequal = POLICIES["Prequal"]
    costs["Prequal"]["pick_and_probes"] = {
        str(size): picks_per_second(prequal, size, probes=True) for size in sizes
    }
    return costs


def goals(costs: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[dict[str, object]]:
    """What picks are to cost at most, and whether they do."""
    slowest = {name: min(costs[name]["pick"].values()) for name in costs}
    cheap, least = min(_CHEAP, key=slowest.__getitem__), min(slowest, key=slowest.__getitem__)
    return [
        {
            "goal": f"{what} at any size: {at_least:,} picks a second of a core",
            "found": f"{slowest[name]:,.0f}, {name}",
            "met": slowest[name] >= at_least,
        }
        for what, at_least, name in (
            ("what looks at no load", 1_000_000, cheap),
            ("every policy", 200_000, least),
        )
    ]


def picks_per_second(policy: Policy, size: int, *, probes: bool = False) -> float:
    """How many picks a second of one core, among `size` servers of three weights in two zones.

    All have reported, and some have requests in flight. Who probes gets its answers: after each
    pick, which counts, if `probes`; else after every few, which doesn't. A key's ranking of
    servers is there already.
    """
    nodes = [Node(endpoint) for endpoint in _endpoints(size)]
    for i, node in enumerate(nodes):
        if policy.measure is not None:
            node.load = policy.measure.fresh(0.0)
            node.in_flight = 1
            policy.measure.ended(node, 0.01, Outcome.SUCCESS, _report(i), 0.0)
        node.in_flight = node.unanswered = i % 3
        node.quiet_s = 0.0 if i % 4 == 0 else 0.06  # some answer later than usual
    picker = policy.picker(nodes, None, Random(1), 0.0)
    if isinstance(picker, Prober):
        return _probing_per_second(picker, probes=probes)
    pick = picker.pick

    def batch(now: float) -> float:
        began_s = process_time()
        for i in range(_BATCH):
            pick(now, _KEYS[i & 1023])
        return process_time() - began_s

    return _best(batch)


def _probing_per_second(picker: Picker, *, probes: bool) -> float:
    assert isinstance(picker, Prober)
    answers = cycle([_report(i) for i in range(1009)])
    pick, due, probed = picker.pick, picker.probes, picker.probed

    def answered(now: float) -> float:
        began_s = process_time()
        for _ in range(_BATCH):
            pick(now, None)
            for node, answer in zip(due(now), answers):  # noqa: B905
                probed(node, answer, now)
        return process_time() - began_s

    def alone(now: float) -> float:
        spent_s = 0.0
        for _ in range(0, _BATCH, _UNPROBED):
            began_s = process_time()
            for _ in range(_UNPROBED):
                pick(now, None)
            spent_s += process_time() - began_s
            for node, answer in zip(due(now), answers):  # noqa: B905
                probed(node, answer, now)
        return spent_s

    return _best(answered if probes else alone)


def balanced_per_second(policy: Policy, size: int) -> float:
    """How many times a second a balancer picks and is told the end, on one core."""
    balancer = Balancer(policy, random=Random(1))
    balancer.update(_endpoints(size), 0.0)
    report = _report(1)

    def batch(now: float) -> float:
        began_s = process_time()
        for i in range(_BATCH):
            balancer.pick(now, _KEYS[i & 1023]).done(Outcome.SUCCESS, now, report)
        return process_time() - began_s

    return _best(batch)


def _best(batch: Callable[[float], float]) -> float:
    """Times a second in the fastest batch: whatever else the machine does only makes it slower."""
    batch(0.01)
    disable()
    try:
        return _BATCH / min(batch(0.02 + i / 100) for i in range(_BATCHES))
    finally:
        enable()


def _endpoints(size: int) -> list[Endpoint]:
    return [
        Endpoint(
            f"server-{i}", 80, weight=_WEIGHTS[i % len(_WEIGHTS)], zone="ab"[i % 2] if i else "a"
        )
        for i in range(size)
    ]


def _report(i: int) -> LoadReport:
    return LoadReport(
        utilisation=0.5,
        requests_per_s=100.0 + 10 * (i % 7),
        errors_per_s=0.0,
        in_flight=2 + i % 5,
        latency_s=0.01 + i * 37 % 1009 / 100_000,
    )

"""The ways to balance that experiments compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from storagebox.balance.experiment.blind import Blind
from storagebox.balance.experiment.scenario import Contender
from storagebox.balance.health.slow_start import SlowStart
from storagebox.balance.health.trust import Trust
from storagebox.balance.load.peak_ewma import PeakEwma
from storagebox.balance.load.reported import ReportedInFlight
from storagebox.balance.picker import Policy
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
from storagebox.balance.picker.subsetting import Subsetting, random_subset_round_robin
from storagebox.balance.picker.uniform_random import UniformRandom
from storagebox.balance.picker.windowed import WindowedRoundRobin
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.subset.deterministic import DeterministicSubset
from storagebox.balance.subset.rocksteadier import Rocksteadier
from storagebox.balance.transport.attempts import Settings

_BLACKOUT_S = 1.0
"""Simulated servers know themselves after two of their windows; runs are too short for 10 s."""


def always(make: Callable[[], Policy]) -> Callable[[int, Random], Policy]:
    """The same policy for each client."""
    return lambda _client, _random: make()


def random_subset(size: int) -> Contender:
    """Test 1."""
    return Contender(
        "random subset RR",
        lambda _client, random: random_subset_round_robin(size, random.getrandbits(64)),
    )


def fixed_window(size: int) -> Contender:
    """Test 2's control: as uneven as test 1."""
    return Contender("fixed window RR", always(lambda: WindowedRoundRobin(size)))


def sliding_window(size: int, period_s: float) -> Contender:
    """Test 2."""
    return Contender(
        "sliding window RR", always(lambda: WindowedRoundRobin(size, period_s=period_s))
    )


def deterministic_subset(size: int) -> Contender:
    """Site Reliability Engineering, chapter 20."""
    return Contender(
        "SRE subset RR",
        lambda client, _random: Subsetting(DeterministicSubset(size, client), RoundRobin()),
    )


def rocksteadier(size: int) -> Contender:
    """What Google replaced it by."""
    return Contender(
        "Rocksteadier subset RR",
        lambda client, _random: Subsetting(Rocksteadier(size, client), RoundRobin()),
    )


ROUND_ROBIN = Contender("full-mesh RR", always(RoundRobin))
"""Test 3."""

RANDOM = Contender("random", always(UniformRandom))
SMOOTH = Contender("smooth WRR, true weights", always(SmoothWeightedRoundRobin), weighted=True)
STRIDE = Contender("static stride, true weights", always(StaticStride), weighted=True)
LEAST_REQUEST = Contender("least request", always(LeastRequest))
TWO_IN_FLIGHT = Contender("P2C, own in-flight", always(PowerOfTwo))
TWO_REPORTED = Contender("P2C, server's RIF", always(lambda: PowerOfTwo(ReportedInFlight())))
REPORTED_WEIGHTS = Contender(
    "WRR, reported weights", always(lambda: ReportedWeights(blackout_s=_BLACKOUT_S))
)
LEAST_WAIT = Contender(
    "least expected wait", always(lambda: LeastExpectedWait(blackout_s=_BLACKOUT_S))
)
LEAST_WAIT_PROBING = Contender(
    "least expected wait, probes",
    always(lambda: LeastExpectedWait(blackout_s=_BLACKOUT_S, probes=3.0)),
)
PREQUAL = Contender("Prequal", always(Prequal))
KEY_HASH = Contender("bounded key hash", always(BoundedRendezvous))


def aperture(clients: int, size: int) -> Contender:
    """Finagle's deterministic aperture."""
    return Contender(
        f"aperture {size}", lambda client, _random: DeterministicAperture(client, clients, size)
    )


def two_peak_ewma(fading_s: float) -> Contender:
    """Power of two choices by peak EWMA."""
    return Contender("P2C, peak EWMA", always(lambda: PowerOfTwo(PeakEwma(fading_s))))


def blind(contender: Contender) -> Contender:
    """Without health."""
    return replace(contender, name=f"{contender.name}, no health", health=Blind)


def at_once(contender: Contender) -> Contender:
    """Without slow start."""
    return replace(
        contender,
        name=f"{contender.name}, at once",
        health=lambda: Trust(slow_start=SlowStart(window_s=0.0)),
    )


def retrying(contender: Contender, attempt_s: float = 0.5) -> Contender:
    """With the transports' default retries, each attempt waiting so long."""
    return replace(
        contender, name=f"{contender.name}, retries", settings=Settings, attempt_s=attempt_s
    )


def hedging(contender: Contender, attempt_s: float = 0.5) -> Contender:
    """With retries, and a second server asked where the first takes longer than 99 % do."""
    return replace(
        contender,
        name=f"{contender.name}, hedges",
        settings=lambda: Settings(hedging=Hedging(quantile=0.99)),
        attempt_s=attempt_s,
    )


def proxied(contender: Contender) -> Contender:
    """The same, in a proxy that all clients share."""
    return replace(contender, name=f"proxy, {contender.name}", proxied=True)

"""What a simulated experiment is made of: values, and nothing that runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from random import Random
from typing import Any

from storagebox.balance.experiment.pace import Pace
from storagebox.balance.experiment.servers import Conduct
from storagebox.balance.health import Health
from storagebox.balance.picker import Policy
from storagebox.balance.transport.attempts import Settings

MakePolicy = Callable[[int, Random], Policy]
"""A client's policy, from its number and a source of chance of its own."""


class Change(Enum):
    """What a registry tells of a server."""

    JOINS = "joins"
    LEAVES = "leaves"
    DRAINS = "drains"


@dataclass(frozen=True, slots=True)
class Event:
    """Something happens to a server.

    Args:
        at: share of the run, 0 to 1.
        server: its index.
        what: how it behaves from then on, or what the registry says of it.
        after_s: seconds after `at`.
    """

    at: float
    server: int
    what: Conduct | Change
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to balance.

    Args:
        name: for people.
        policy: makes each client's.
        weighted: whether endpoints carry the servers' true speeds as weights.
        health: makes each client's; `None`: what ships, with its defaults.
        settings: makes each client's; `None`: each request is sent once.
        attempt_s: how long a client waits for one server.
        proxied: all clients go through one proxy, which balances so.
    """

    name: str
    policy: MakePolicy
    weighted: bool = False
    health: Callable[[], Health] | None = None
    settings: Callable[[], Settings] | None = None
    attempt_s: float = inf
    proxied: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """Clients, servers, load, and what happens to them.

    Args:
        clients: how many.
        speeds: of each server; 1 is the unit of `service_s`.
        workers: requests that a server works on at once.
        load: requests a second over what all servers could do, at their speeds.
        service_s: mean work of a request.
        sigma: of the logarithm of the work.
        requests: of one run.
        shares: of each client in the requests; empty: all alike.
        deadline_s: when a request counts as late.
        enforced: whether clients give up at the deadline. If not, what is late is only counted,
            and latencies show how far a queue has grown.
        hop_s: how long anything is on its way.
        probe_s: how long a probe takes, there and back.
        reports: whether servers tell their load.
        report_s: over how long what they tell is averaged.
        discovery_s: clients hear of a change of membership within this.
        paces: makes each server's pace, from chance and the run's length in seconds.
        events: what happens.
    """

    clients: int
    speeds: Sequence[float]
    workers: int = 4
    load: float = 0.75
    service_s: float = 0.01
    sigma: float = 1.0
    requests: int = 60_000
    shares: Sequence[float] = ()
    deadline_s: float = 1.0
    enforced: bool = False
    hop_s: float = 0.0
    probe_s: float = 0.001
    reports: bool = True
    report_s: float = 0.5
    discovery_s: float = 0.0
    paces: Callable[[Random, float], Sequence[Pace]] | None = None
    events: Sequence[Event] = field(default_factory=tuple[Event, ...])

    @property
    def setting(self) -> dict[str, Any]:
        """What its figures hold for, to be told beside them."""
        return {
            "clients": self.clients,
            "servers": len(self.speeds),
            "workers": self.workers,
            "speeds": list(self.speeds),
            "load": self.load,
            "service_s": self.service_s,
            "work_sigma": self.sigma,
        }

    @property
    def rate_per_s(self) -> float:
        """Requests a second, of all clients."""
        return self.load * self.workers * sum(self.speeds) / self.service_s

    @property
    def run_s(self) -> float:
        """How long a run is."""
        return self.requests / self.rate_per_s

"""Sets a scenario up with a contender and a seed, and lets it run."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np

from storagebox.balance.balancer import Balancer
from storagebox.balance.endpoint import Endpoint
from storagebox.balance.experiment.agenda import Agenda
from storagebox.balance.experiment.arrivals import Arrivals, poisson
from storagebox.balance.experiment.clients import Client
from storagebox.balance.experiment.membership import Membership
from storagebox.balance.experiment.pace import STEADY
from storagebox.balance.experiment.proxy import Proxy
from storagebox.balance.experiment.reports import Reporter
from storagebox.balance.experiment.scenario import Change, Contender, Scenario
from storagebox.balance.experiment.servers import Server
from storagebox.balance.experiment.simulator import Simulation
from storagebox.balance.experiment.trace import Trace
from storagebox.balance.transport.attempts import Settings


def run(scenario: Scenario, contender: Contender, seed: int) -> Trace:
    """One run. Contenders of one seed get the same requests and the same servers."""
    agenda = Agenda()
    servers = _servers(scenario, agenda, Random(f"{seed} servers"))
    clients = [_client(scenario, contender, seed, number) for number in range(scenario.clients)]
    proxy = _client(scenario, contender, seed, scenario.clients) if contender.proxied else None
    endpoints = [
        Endpoint(f"server-{at:04}", 1 + at, weight=speed if contender.weighted else None)
        for at, speed in enumerate(scenario.speeds)
    ]
    membership = Membership(
        agenda,
        [proxy] if proxy else clients,
        endpoints,
        _absent(scenario),
        scenario.discovery_s,
        Random(f"{seed} membership"),
    )
    reached: list[Server | Proxy] = list(servers)
    if proxy:
        reached.append(Proxy(proxy.balancer, servers))
        for client in clients:
            client.balancer.update([Endpoint("proxy", len(reached))], 0.0)
    _plan(scenario, agenda, reached, membership)
    simulation = Simulation(agenda, clients, reached, scenario.hop_s, scenario.probe_s)
    return simulation.run(arrivals(scenario, seed))


def arrivals(scenario: Scenario, seed: int) -> Arrivals:
    """The requests of a run."""
    return poisson(
        np.random.default_rng(seed),
        scenario.requests,
        [scenario.rate_per_s],
        scenario.shares or [1.0] * scenario.clients,
        scenario.service_s,
        scenario.sigma,
    )


def _servers(scenario: Scenario, agenda: Agenda, random: Random) -> list[Server]:
    count = len(scenario.speeds)
    paces = scenario.paces(random, scenario.run_s) if scenario.paces else [STEADY] * count
    return [
        Server(
            agenda,
            scenario.workers,
            speed,
            pace,
            Reporter(scenario.workers, scenario.report_s) if scenario.reports else None,
        )
        for speed, pace in zip(scenario.speeds, paces, strict=True)
    ]


def _client(scenario: Scenario, contender: Contender, seed: int, number: int) -> Client:
    random = Random(f"{seed} client {number}")
    balancer = Balancer(
        contender.policy(number, random),
        health=contender.health() if contender.health else None,
        random=random,
    )
    settings = contender.settings() if contender.settings else Settings(retries=None)
    if scenario.enforced:
        settings = replace(settings, deadline_s=scenario.deadline_s)
    return Client(balancer, settings, contender.attempt_s)


def _absent(scenario: Scenario) -> set[int]:
    """Servers whose first event is that they join."""
    first: dict[int, object] = {}
    for event in sorted(scenario.events, key=lambda each: each.at):
        if isinstance(event.what, Change):
            first.setdefault(event.server, event.what)
    return {server for server, what in first.items() if what is Change.JOINS}


def _plan(
    scenario: Scenario, agenda: Agenda, servers: list[Server | Proxy], membership: Membership
) -> None:
    for event in scenario.events:
        at_s = event.at * scenario.run_s + event.after_s
        server, what = event.server, event.what
        if server >= len(servers):
            continue  # the proxy, where there is none
        if isinstance(what, Change):
            agenda.at(at_s, lambda now, to: membership.change(to[0], to[1], now), (server, what))
        else:
            agenda.at(at_s, lambda now, to: servers[to[0]].behave(to[1], now), (server, what))

"""The experiments: what they say of balancing, in direction only; that figures are sound."""

from dataclasses import replace
from math import sqrt

import pytest

from storagebox.balance.experiment import contenders as by
from storagebox.balance.experiment import stage
from storagebox.balance.experiment.cache import Caching, Lru
from storagebox.balance.experiment.connections import Connections
from storagebox.balance.experiment.experiments import EXPERIMENTS
from storagebox.balance.experiment.scenario import Change, Contender, Event, Scenario
from storagebox.balance.experiment.servers import Conduct
from storagebox.balance.experiment.summary import over_seeds, summarise
from storagebox.balance.subset.random_subset import RandomSubset
from storagebox.balance.subset.rocksteadier import Rocksteadier

EQUAL = Scenario(clients=30, speeds=(1.0,) * 12, requests=8000)
UNEQUAL = replace(EQUAL, speeds=(1.0,) * 8 + (0.5,) * 4)
MORTAL = replace(EQUAL, load=0.6, enforced=True, hop_s=0.0005)


def figures(scenario: Scenario, contender: Contender, seed: int = 1) -> dict[str, float]:
    trace = stage.run(scenario, contender, seed)
    return summarise(trace, scenario.service_s, scenario.deadline_s)


def test_a_random_subset_is_uneven_a_sliding_window_slower_and_the_mesh_best():
    subset, window, mesh = (
        figures(EQUAL, contender)
        for contender in (by.random_subset(3), by.sliding_window(3, 0.2), by.ROUND_ROBIN)
    )
    assert subset["max_over_mean"] > window["max_over_mean"] + 0.2
    assert window["p99"] > 1.1 * mesh["p99"]
    assert subset["p99"] > 2 * mesh["p99"]
    assert subset["connections"] == 90
    assert mesh["connections"] == 360


def test_slow_servers_saturate_in_the_mesh_until_they_weigh_less():
    blind, weighted, by_load = (
        figures(UNEQUAL, contender) for contender in (by.ROUND_ROBIN, by.SMOOTH, by.TWO_REPORTED)
    )
    assert blind["p99"] > 4 * weighted["p99"]
    assert blind["p99"] > 4 * by_load["p99"]


def test_contenders_of_one_seed_get_the_same_requests():
    first, second = (stage.arrivals(EQUAL, 3) for _ in range(2))
    assert (first.work_s == second.work_s).all()
    assert (first.times_s != stage.arrivals(EQUAL, 4).times_s).any()


@pytest.mark.parametrize("conduct", [Conduct.REFUSES, Conduct.SILENT, Conduct.FAILS])
def test_retries_save_every_request_from_a_server_that_dies(conduct: Conduct):
    dies = replace(MORTAL, events=(Event(0.3, 0, conduct), Event(0.3, 0, Conduct.SERVES, 2.0)))
    alone, retried = (
        figures(dies, contender)
        for contender in (by.blind(by.ROUND_ROBIN), by.retrying(by.ROUND_ROBIN))
    )
    assert alone["failed"] + alone["late"] > 100
    assert retried["failed"] + retried["late"] == 0
    assert alone["lost"] == retried["lost"] == 0


def test_a_proxy_that_dies_takes_everybody_along_and_a_server_nobody():
    proxy_dies = replace(
        MORTAL, events=(Event(0.3, 12, Conduct.REFUSES), Event(0.3, 12, Conduct.SERVES, 1.0))
    )
    server_dies = replace(
        MORTAL, events=(Event(0.3, 0, Conduct.REFUSES), Event(0.3, 0, Conduct.SERVES, 1.0))
    )
    through = figures(proxy_dies, by.proxied(by.retrying(by.ROUND_ROBIN)))
    choosing = figures(server_dies, by.retrying(by.ROUND_ROBIN))
    assert through["outage_s"] > 0.9
    assert through["failed"] > 1000
    assert choosing["outage_s"] < 0.1
    assert choosing["failed"] == 0


def test_a_server_that_drains_before_it_restarts_loses_no_request():
    restart = (Event(0.5, 0, Conduct.REFUSES), Event(0.5, 0, Conduct.SERVES, 0.3))
    drained = (Event(0.5, 0, Change.DRAINS, -0.5), *restart, Event(0.5, 0, Change.JOINS, 0.4))
    rude, polite = (
        figures(replace(MORTAL, events=events, discovery_s=0.1), by.ROUND_ROBIN)
        for events in (restart, drained)
    )
    assert rude["failed"] > 0
    assert polite["failed"] == 0


def test_a_server_that_joins_later_gets_requests_from_then_on():
    joins = replace(EQUAL, load=0.6, events=(Event(0.5, 0, Change.JOINS),))
    trace = stage.run(joins, by.at_once(by.ROUND_ROBIN), 1)
    others = trace.assigned_s[1:].mean()
    assert 0.4 * others < trace.assigned_s[0] < 0.8 * others
    slowly = stage.run(joins, by.ROUND_ROBIN, 1)
    assert 0.02 * others < slowly.assigned_s[0] < 0.1 * others, "a tenth, for two seconds"


def test_random_subsets_are_as_uneven_as_the_formula_says():
    clients, servers, size = 100, 50, 5
    connections = Connections(
        clients,
        servers,
        size,
        (
            ("random", lambda size, _client, random: RandomSubset(size, random.getrandbits(64))),
            ("Rocksteadier", lambda size, client, _random: Rocksteadier(size, client)),
        ),
    )
    spread = over_seeds([connections.measure(0, seed, 0) for seed in range(8)])["cv"]
    share = size / servers
    assert spread["mean"] == pytest.approx(sqrt((1 - share) / (clients * share)), rel=0.12)
    even = connections.measure(1, 1, 0)
    assert even["cv"] == 0
    assert even["at_most"] == 1


def test_the_least_recently_used_key_goes_first():
    cache = Lru(2)
    assert [cache.get(key) for key in (1, 2, 1, 3, 1, 2)] == [
        False,
        False,
        True,
        False,
        True,
        False,
    ]


def test_a_cache_helps_less_where_every_client_uses_every_server():
    caching = Caching((by.deterministic_subset(3), by.ROUND_ROBIN), entries=500)
    subset, mesh = (caching.measure(contender, 1, 10_000) for contender in (0, 1))
    assert subset["hits"] > mesh["hits"] + 0.1


def test_every_experiment_has_its_name_and_something_to_compare():
    for name, experiment in EXPERIMENTS.items():
        assert experiment.name == name
        assert experiment.question.endswith("?")
        for case in experiment.cases:
            names = list(case.measured.names)
            assert len(set(names)) == len(names) > 1, case.label

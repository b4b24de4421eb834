"""What it is worth that a client uses few servers: full caches, fewer connections."""

from __future__ import annotations

from storagebox.balance.experiment import contenders as by
from storagebox.balance.experiment.cache import Caching
from storagebox.balance.experiment.connections import Connections
from storagebox.balance.experiment.experiment import Case, Column, Experiment
from storagebox.balance.experiment.usual import SUBSET
from storagebox.balance.subset.deterministic import DeterministicSubset
from storagebox.balance.subset.random_subset import RandomSubset
from storagebox.balance.subset.rendezvous import Rendezvous
from storagebox.balance.subset.ringsteady import Ringsteady
from storagebox.balance.subset.rocksteadier import Rocksteadier
from storagebox.balance.subset.window import IndexWindow


def _caching(entries: int) -> Case:
    return Case(
        f"{entries:,} entries a server",
        Caching(
            (
                by.random_subset(SUBSET),
                by.deterministic_subset(SUBSET),
                by.ROUND_ROBIN,
                by.TWO_IN_FLIGHT,
                by.KEY_HASH,
            ),
            entries=entries,
        ),
    )


CACHE = Experiment(
    "cache",
    "How often does a server's cache help, if every client uses every server?",
    tuple(_caching(entries) for entries in (1500, 3000, 6000)),
    (Column("hits", "cache hits", ".3f", spread=True), Column("max_over_mean", "max/mean")),
    requests=100_000,
    full_requests=200_000,
    panels=("hits", "max_over_mean"),
)

_SUBSETS = (
    ("random subset", lambda size, _client, random: RandomSubset(size, random.getrandbits(64))),
    ("rendezvous", lambda size, _client, random: Rendezvous(size, random.getrandbits(64))),
    ("index window", lambda size, client, _random: IndexWindow(size, client)),
    ("SRE", lambda size, client, _random: DeterministicSubset(size, client)),
    ("Ringsteady", lambda size, client, _random: Ringsteady(size, client)),
    ("Rocksteadier", lambda size, client, _random: Rocksteadier(size, client)),
    ("full mesh", lambda _size, _client, _random: RandomSubset(1 << 20, 0)),
)

CONNECTIONS = Experiment(
    "connections",
    "How even are subsets, and what does a server cost them that comes or goes?",
    tuple(
        Case(
            f"{clients} clients of {size} connections, {servers} servers",
            Connections(clients, servers, size, _SUBSETS),
        )
        for clients, servers, size in (
            (6, 3, 2),
            (20, 10, 3),
            (30, 12, 3),
            (37, 45, 8),
            (100, 50, 10),
            (100, 100, 5),
            (300, 300, 30),
        )
    ),
    (
        Column("connections", "conns", ",.0f"),
        Column("least", "least"),
        Column("most", "most"),
        Column("cv", "CV", ".3f"),
        Column("join", "join", ".3f"),
        Column("leave", "leave", ".3f"),
        Column("at_most", "at most", ".0f"),
    ),
    panels=("most", "leave"),
)

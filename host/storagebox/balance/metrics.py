"""What a balancer does, in numbers for Prometheus, named as OpenTelemetry and gRPC name them.

    metrics = Metrics("search")
    transport = BalancedTransport(servers, observer=metrics)
    metrics.watch(transport.balancer)

A transport that is closed takes all of it off again; whoever uses a balancer without one calls
`Balancer.closed`, or `unwatch`.

| metric | after | |
|---|---|---|
| `http_client_request_duration_seconds` | OpenTelemetry | an attempt, to its answer's head |
| `http_client_active_requests` | OpenTelemetry | in flight, by endpoint |
| `balance_picks_total` | Finagle `p2c/…` | by reason: policy, probation, panic, retry |
| `balance_endpoint_weight` | gRPC `grpc.lb.wrr.endpoint_weights` | what pickers use |
| `balance_endpoint_eligible` | gRPC A50's ejections | 0 while ejected, draining or ill |
| `balance_membership_hash` | Finagle `vector_hash` | clients that differ see other servers |

`server_address` is the name that the program uses, `endpoint` the server. `error_type` is the kind
of `Outcome`, and empty on success. Needs the extra `metrics`.
"""

import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from weakref import ref

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from storagebox.balance.balancer import Balancer, Standing
from storagebox.balance.node import Node
from storagebox.balance.outcome import Outcome

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""As OpenTelemetry's conventions advise for the durations of HTTP requests."""

_ENDPOINT = ("server_address", "endpoint")

Standings = Callable[[], list[Standing] | None]
"""How servers stand now; `None`: there is no such balancer any more."""


class Metrics:
    """An observer that counts.

    Args:
        server_address: the service's name, to tell several balancers apart.
        registry: where the metrics are registered. Several `Metrics` of one registry share them.
    """

    def __init__(self, server_address: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._address = server_address
        self._shared = _Shared.of(registry)
        self._members: dict[str, Node] = {}
        self._durations: dict[str, dict[Outcome, Histogram]] = {}
        self._picks: dict[str, dict[str, Counter]] = {}
        self._standings: Standings | None = None
        self._lock = threading.Lock()
        """Held while a series comes or goes, and not to count."""

    def watch(self, balancer: Balancer, clock: Callable[[], float] = time.monotonic) -> None:
        """Tell how this balancer's servers stand, too, each time somebody scrapes; until it is
        closed, forgotten by its program, or another is watched under the same name."""
        known = ref(balancer)  # a registry lives as long as the process

        def standings() -> list[Standing] | None:
            still = known()
            return None if still is None else still.standings(clock())

        self._standings = standings
        self._shared.watched[self._address] = standings

    def unwatch(self) -> None:
        """Tell no more of what `watch` was given. Another's metrics of that name stay."""
        if self._standings is not None:
            watched = self._shared.watched
            if watched.get(self._address) is self._standings:
                del watched[self._address]
            self._standings = None

    def closed(self) -> None:
        """Nothing more is to come: what was counted goes, too, once its requests have ended."""
        self.unwatch()
        self.membership((), tuple(self._members.values()))

    def membership(self, nodes: Sequence[Node], gone: Sequence[Node]) -> None:
        """Forget who has gone: each server that ever was would be told for ever."""
        self._members = {node.endpoint.id: node for node in nodes}
        for node in gone:
            self._forget(node)

    def picked(self, node: Node, reason: str) -> None:
        """One more to this server."""
        counter = self._picks.get(node.endpoint.id, {}).get(reason)
        if counter is None:
            with self._lock:
                counter = self._shared.picks.labels(self._address, node.endpoint.id, reason)
                self._picks.setdefault(node.endpoint.id, {})[reason] = counter
        counter.inc()

    def done(self, node: Node, reason: str, outcome: Outcome, latency_s: float) -> None:
        """It took so long."""
        histogram = self._durations.get(node.endpoint.id, {}).get(outcome)
        if histogram is None:
            with self._lock:
                histogram = self._shared.durations.labels(
                    self._address, node.endpoint.id, _error_type(outcome)
                )
                self._durations.setdefault(node.endpoint.id, {})[outcome] = histogram
        histogram.observe(latency_s)
        if node.endpoint.id not in self._members:
            self._forget(node)

    def _forget(self, node: Node) -> None:
        """Who has left is told of until the last of its requests has ended."""
        id_ = node.endpoint.id
        with self._lock:
            if node.in_flight or id_ in self._members:
                return
            for outcome in self._durations.pop(id_, {}):
                self._shared.durations.remove(self._address, id_, _error_type(outcome))
            for reason in self._picks.pop(id_, {}):
                self._shared.picks.remove(self._address, id_, reason)


def _error_type(outcome: Outcome) -> str:
    return "" if outcome is Outcome.SUCCESS else outcome.value


class _Shared(Collector):
    """The metrics of one registry."""

    _made: dict[int, "_Shared"] = {}  # noqa: RUF012 one a registry, for as long as the process runs

    @classmethod
    def of(cls, registry: CollectorRegistry) -> "_Shared":
        made = cls._made.get(id(registry))
        if made is None:
            made = cls._made[id(registry)] = cls(registry)
        return made

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry  # so that no other takes its id
        self.watched: dict[str, Standings] = {}
        self.durations = Histogram(
            "http_client_request_duration_seconds",
            "How long an attempt took until its answer's head.",
            (*_ENDPOINT, "error_type"),
            registry=registry,
            buckets=BUCKETS_S,
        )
        self.picks = Counter(
            "balance_picks",
            "Choices of a server.",
            (*_ENDPOINT, "reason"),
            registry=registry,
        )
        registry.register(self)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return _gauges().values()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauges = _gauges()
        for address, standings in list(self.watched.items()):
            now = standings()
            if now is None:
                if self.watched.get(address) is standings:
                    del self.watched[address]
                continue
            seen = zlib.crc32("\n".join(standing.endpoint.address for standing in now).encode())
            gauges["hash"].add_metric((address,), seen)
            for standing in now:
                labels = (address, standing.endpoint.id)
                weight = 1.0 if standing.weight is None else standing.weight
                gauges["active"].add_metric(labels, standing.in_flight)
                gauges["weight"].add_metric(labels, weight)
                gauges["eligible"].add_metric(labels, standing.eligible)
        yield from gauges.values()


def _gauges() -> dict[str, GaugeMetricFamily]:
    return {
        "active": GaugeMetricFamily(
            "http_client_active_requests", "Requests in flight.", labels=_ENDPOINT
        ),
        "weight": GaugeMetricFamily(
            "balance_endpoint_weight", "The weight that pickers use.", labels=_ENDPOINT
        ),
        "eligible": GaugeMetricFamily(
            "balance_endpoint_eligible", "Whether it may be chosen.", labels=_ENDPOINT
        ),
        "hash": GaugeMetricFamily(
            "balance_membership_hash", "Of the servers' addresses.", labels=_ENDPOINT[:1]
        ),
    }

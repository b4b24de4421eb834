"""Servers to choose from, and counts of who was chosen."""

from collections import Counter
from collections.abc import Sequence
from random import Random

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome
from storagebox.balance.picker import Picker, Policy


def endpoints(n: int) -> list[Endpoint]:
    """`n` servers in the order of their ids: s0000, s0001, ..."""
    return [Endpoint(f"s{i:04}", 80) for i in range(n)]


def nodes(policy: Policy, weights: Sequence[float | None] | int, now: float = 0.0) -> list[Node]:
    """A node for each weight, or so many whose weight nobody knows, as a balancer makes them."""
    weights = [None] * weights if isinstance(weights, int) else weights
    made = [
        Node(endpoint.weighing(weight))
        for endpoint, weight in zip(endpoints(len(weights)), weights, strict=True)
    ]
    for node in made:
        if policy.measure is not None:
            node.load = policy.measure.fresh(now)
    return made


def begin(picker: Picker, now: float = 0.0, key: bytes | None = None) -> Node:
    """Pick as a balancer does."""
    node = picker.pick(now, key)
    node.began(now)
    return node


def end(
    policy: Policy,
    node: Node,
    now: float = 0.0,
    latency_s: float = 0.0,
    outcome: Outcome = Outcome.SUCCESS,
    report: LoadReport | None = None,
) -> None:
    """End a request as a balancer does."""
    node.in_flight -= 1
    if outcome is Outcome.SUCCESS:
        node.answered(now)
    else:
        node.unanswered -= 1
    node.failed += outcome.blames_server
    if policy.measure is not None:
        policy.measure.ended(node, latency_s, outcome, report, now)


def counts(picker: Picker, servers: Sequence[Node], picks: int, now: float = 0.0) -> list[int]:
    """How often each of the servers is picked, of requests that take no time."""
    counted = Counter(picker.pick(now, None).endpoint.id for _ in range(picks))
    assert counted.keys() <= {node.endpoint.id for node in servers}
    return [counted[node.endpoint.id] for node in servers]


def fresh(
    policy: Policy, weights: Sequence[float | None] | int, seed: int = 1
) -> tuple[Picker, list[Node]]:
    """A picker and its servers."""
    servers = nodes(policy, weights)
    return policy.picker(servers, None, Random(seed), 0.0), servers


def tell(policy: Policy, servers: Sequence[Node], now: float, *reports: LoadReport) -> None:
    """Each of the servers answers a request, with its report."""
    for node, report in zip(servers, reports, strict=True):
        node.began(now)
        end(policy, node, now, 0.01, report=report)

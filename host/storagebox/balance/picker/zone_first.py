"""Near servers first, as far as they can carry it: zone-aware routing, as Envoy has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.node import Node
from storagebox.balance.picker import Measure, Picker, Policy
from storagebox.balance.picker.alias import AliasTable
from storagebox.balance.picker.weights import relative


@dataclass(frozen=True, slots=True)
class ZoneFirst:
    """Any policy, within the client's own zone while that has servers for its clients.

    Servers share work alike only if each zone's share of clients is that of its servers. Where
    the zone has less, its servers get what is theirs, and the rest goes to zones with more than
    their clients need, by what they have left.

    Args:
        zone: the client's own, as `Endpoint.zone`.
        policy: chooses within a zone.
        clients: each zone's share of all clients, 0 to 1. If left out, zones count as having
            equally many.
        min_servers: with fewer, zones make no difference (Envoy: 6): one server that dies would
            leave a zone too weak.
    """

    zone: str
    policy: Policy
    clients: tuple[tuple[str, float], ...] = ()
    min_servers: int = 6

    @property
    def measure(self) -> Measure | None:
        return self.policy.measure

    @property
    def refresh_s(self) -> float | None:
        return self.policy.refresh_s

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        before = previous.pickers if isinstance(previous, _Zones) else {}
        zones: dict[str, list[Node]] = {}
        if len(nodes) >= self.min_servers:
            for node in nodes:
                zones.setdefault(node.endpoint.zone, []).append(node)
        if self.zone not in zones:
            zones = {self.zone: list(nodes)}  # nobody near, or too few: as if all were near
        pickers = {
            zone: self.policy.picker(among, before.get(zone), random, now)
            for zone, among in zones.items()
        }
        return _Zones(pickers, self._portions(nodes, zones), random)

    def _portions(self, nodes: Sequence[Node], zones: dict[str, list[Node]]) -> dict[str, float]:
        """The share of this client's requests that each zone gets."""
        weights = relative(nodes)
        total = sum(weights)
        capacity = dict.fromkeys(zones, 0.0)
        for node, weight in zip(nodes, weights, strict=True):
            zone = node.endpoint.zone if node.endpoint.zone in zones else self.zone
            capacity[zone] += weight / total
        clients = dict(self.clients) or dict.fromkeys(zones, 1 / len(zones))
        own = clients.get(self.zone, 0.0)
        near = 1.0 if own <= capacity[self.zone] else capacity[self.zone] / own
        spare = {
            zone: max(0.0, capacity[zone] - clients.get(zone, 0.0))
            for zone in zones
            if zone != self.zone
        }
        left = sum(spare.values())
        if near == 1.0 or not left:
            return {self.zone: 1.0}
        return {self.zone: near} | {
            zone: (1 - near) * share / left for zone, share in spare.items()
        }


class _Zones:
    __slots__ = ("_draw", "_in_order", "pickers")

    def __init__(
        self, pickers: dict[str, Picker], portions: dict[str, float], random: Random
    ) -> None:
        self.pickers = pickers
        self._in_order = [pickers[zone] for zone in portions]
        self._draw = AliasTable(list(portions.values()), random.random).draw

    def pick(self, now: float, key: bytes | None) -> Node:
        return self._in_order[self._draw()].pick(now, key)

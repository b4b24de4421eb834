"""A registrar whose peers are a test's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Peer:
    id: str
    addresses: Sequence[str] = ("10.0.0.1",)
    services: Mapping[str, int] = field(default_factory=lambda: {"search": 7700})


class House:
    """A registrar of a test's own peers."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.subscribers: list[Callable[..., None]] = []

    def find(self, service: str) -> list[Peer]:
        return [peer for peer in self.peers if service in peer.services]

    def subscribe(self, callback: Callable[..., None]) -> Callable[[], None]:
        self.subscribers.append(callback)
        return lambda: self.subscribers.remove(callback)

    def now(self, *peers: Peer) -> None:
        self.peers = list(peers)
        for subscriber in self.subscribers:
            subscriber("updated", None, "")

"""What a balancer tells whoever wants to know: metrics, transports that keep connections.

An observer is called outside the balancer's lock, and must neither block nor raise.
"""

from collections.abc import Sequence
from typing import Protocol

from storagebox.balance.node import Node
from storagebox.balance.outcome import Outcome


class Observer(Protocol):
    """Is told of what happens."""

    def membership(self, nodes: Sequence[Node], gone: Sequence[Node]) -> None:
        """The membership has changed; `gone` may still have requests in flight."""
        ...

    def picked(self, node: Node, reason: str) -> None:
        """A request goes to a server; `reason` as `Pick.reason`."""
        ...

    def done(self, node: Node, reason: str, outcome: Outcome, latency_s: float) -> None:
        """It has ended, `latency_s` after it was picked."""
        ...

    def closed(self) -> None:
        """Whoever used the balancer has been closed. Requests that are under way may still end,
        and nothing else follows."""
        ...


class _Silent:
    def membership(self, nodes: Sequence[Node], gone: Sequence[Node]) -> None: ...

    def picked(self, node: Node, reason: str) -> None: ...

    def done(self, node: Node, reason: str, outcome: Outcome, latency_s: float) -> None: ...

    def closed(self) -> None: ...


SILENT: Observer = _Silent()
"""Observes nothing."""

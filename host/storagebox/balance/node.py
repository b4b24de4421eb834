"""What a client has seen of one server: the mutable half of an endpoint.

A node lives as long as its endpoint stays in the membership at its address, through any number of
pickers, so that a change of membership forgets nothing about the servers that stay.
"""

from typing import Any

from storagebox.balance.endpoint import Endpoint


class Node:
    """One server as one client knows it. Only its balancer changes it, under its lock."""

    __slots__ = (
        "endpoint",
        "failed",
        "health",
        "in_flight",
        "load",
        "picked",
        "quiet_s",
        "unanswered",
        "weight",
    )

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.in_flight = 0
        """Requests picked and not done. Done is when the body has been read or dropped."""
        self.picked = 0
        self.unanswered = 0
        """Of those in flight; an answer's body may come for long."""
        self.quiet_s = 0.0
        """Since when it has answered nothing while there was something to answer."""
        self.failed = 0
        """Outcomes that blame the server."""
        self.weight: float | None = endpoint.weight
        """What pickers use: the endpoint's, times what slow start and degradation leave of it."""
        self.health: Any = None
        """What the balancer's `Health` keeps of it."""
        self.load: Any = None
        """What the policy's `Measure` keeps of it."""

    def began(self, now: float) -> None:
        """A request is sent to it."""
        if not self.unanswered:
            self.quiet_s = now
        self.in_flight += 1
        self.unanswered += 1
        self.picked += 1

    def answered(self, now: float) -> None:
        """One of its answers has begun to come."""
        self.unanswered -= 1
        self.quiet_s = now

    def __repr__(self) -> str:
        return f"<Node {self.endpoint.id}, {self.in_flight} in flight>"

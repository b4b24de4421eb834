"""How a request ended, and whose doing that was.

The distinction decides everything after: a failure that the server has to answer for counts
against it; a request that never reached it may be sent to another, whatever it was; a client that
gave up says nothing of the server.
"""

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How a request to one endpoint ended."""

    SUCCESS = "success"
    """Answered, and not with a fault of the server."""

    FAILURE = "failure"
    """Sent, and then an answer of 5xx, a reset, or none in time. It may have been carried out."""

    UNREACHABLE = "unreachable"
    """No connection came about, so it was certainly not carried out."""

    OVERLOADED = "overloaded"
    """Turned away unprocessed (429, 503): the server lives, and asks for less."""

    CANCELLED = "cancelled"
    """The client gave up before there was an answer. Nobody's fault."""

    CLIENT_FAULT = "client_fault"
    """It failed on this side: no free connection, a malformed request."""

    def __init__(self, told: str) -> None:
        # Every request asks for these, and a set of members would call Python to hash them.
        self.blames_server = told in ("failure", "unreachable", "overloaded")
        """Whether it is a reason to trust the endpoint less."""
        self.unsent = told in ("unreachable", "client_fault")
        """Whether the server certainly did nothing, so that even a POST may go elsewhere."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a server says of its own load, with an answer or to a probe; `None` where it doesn't.

    Args:
        utilisation: 0 to 1 of its capacity, above 1 if more is waiting than it can do.
        requests_per_s: answered lately.
        errors_per_s: of those, failed.
        in_flight: requests it holds now, from all its clients; with an answer, besides the one
            that is answered.
        latency_s: what a request takes it at about this many in flight (Prequal, section 4).
        retry_after_s: for how long it wants to be spared (Retry-After).
    """

    utilisation: float | None = None
    requests_per_s: float | None = None
    errors_per_s: float | None = None
    in_flight: int | None = None
    latency_s: float | None = None
    retry_after_s: float | None = None

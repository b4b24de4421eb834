"""What may be sent again: by what was asked, how it ended, and what the budget has left."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storagebox.balance.outcome import Outcome
from storagebox.balance.retry.budget import Budget

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Carried out twice they do what once does (RFC 9110, section 9.2.2)."""

GATEWAY = frozenset({502, 503, 504})
"""Somebody between, or the server before it began, gave up."""

OVERLOAD = frozenset({429, 503})
"""Turned away unprocessed."""


@dataclass(frozen=True, slots=True)
class Retries:
    """When a request that failed is sent to another endpoint.

    Args:
        attempts: at most so many, the first included; gRPC (A6) stops at 5 as well.
        statuses: answers worth another attempt. 429 isn't: whoever sends it wants fewer requests,
            and a limit is usually the client's own on every server.
        budget: shared by whoever is given it.
        pause_s: before an attempt at an endpoint that was tried already, doubled each time;
            another endpoint is tried at once.
    """

    attempts: int = 3
    statuses: frozenset[int] = GATEWAY
    budget: Budget = field(default_factory=Budget)
    pause_s: float = 0.025

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 5:
            raise ValueError(f"retries: attempts {self.attempts} is not within 1 to 5")

    def worth(self, outcome: Outcome, status: int | None, *, safe: bool, replayable: bool) -> bool:
        """Whether another attempt makes sense, whatever is left of budget and time.

        Args:
            outcome: how the last one ended.
            status: of its answer, if there was one.
            safe: it may be carried out twice.
            replayable: its body can be sent once more.
        """
        if not replayable or outcome is Outcome.CLIENT_FAULT or outcome is Outcome.CANCELLED:
            return False
        if status is not None:
            return status in self.statuses and safe
        return outcome.unsent or (safe and outcome is Outcome.FAILURE)


def is_safe(method: str, extensions: Mapping[str, object]) -> bool:
    """Whether a request may be carried out twice: by its method, or because its sender says so.

    `extensions={"safe": True}` with a request makes a POST one; `False` makes a GET none.
    """
    told = extensions.get("safe")
    return method in IDEMPOTENT if told is None else bool(told)


def outcome_of(status: int) -> Outcome:
    """What an answer's status says of the server.

    501 and 505 are about what was asked for, so they are no failure of the server's.
    """
    if status in OVERLOAD:
        return Outcome.OVERLOADED
    if status >= 500 and status not in (501, 505):
        return Outcome.FAILURE
    return Outcome.SUCCESS

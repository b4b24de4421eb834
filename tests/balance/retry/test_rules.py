"""What may be sent again."""

import pytest

from storagebox.balance.outcome import Outcome
from storagebox.balance.retry.rules import Retries, is_safe, outcome_of


@pytest.mark.parametrize(
    ("outcome", "status", "safe", "replayable", "worth"),
    [
        (Outcome.UNREACHABLE, None, False, True, True),  # nothing was sent
        (Outcome.UNREACHABLE, None, True, False, False),  # but the body can't be sent again
        (Outcome.FAILURE, None, True, True, True),
        (Outcome.FAILURE, None, False, True, False),  # it may have been carried out
        (Outcome.FAILURE, 502, True, True, True),
        (Outcome.FAILURE, 500, True, True, False),  # an answer, and it would be the same elsewhere
        (Outcome.OVERLOADED, 503, True, True, True),
        (Outcome.OVERLOADED, 503, False, True, False),
        (Outcome.OVERLOADED, 429, True, True, False),  # a limit of the client's own
        (Outcome.CANCELLED, None, True, True, False),
        (Outcome.CLIENT_FAULT, None, True, True, False),
    ],
)
def test_another_attempt_is_worth_it_if_it_may_help_and_cannot_harm(
    outcome: Outcome, status: int | None, safe: bool, replayable: bool, worth: bool
):
    assert Retries().worth(outcome, status, safe=safe, replayable=replayable) is worth


def test_methods_are_safe_as_rfc_9110_says_unless_the_sender_knows_better():
    assert [is_safe(method, {}) for method in ("GET", "PUT", "DELETE", "POST", "PATCH")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert is_safe("POST", {"safe": True})
    assert not is_safe("GET", {"safe": False})


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.SUCCESS),
        (404, Outcome.SUCCESS),
        (429, Outcome.OVERLOADED),
        (500, Outcome.FAILURE),
        (501, Outcome.SUCCESS),
        (502, Outcome.FAILURE),
        (503, Outcome.OVERLOADED),
        (505, Outcome.SUCCESS),
    ],
)
def test_a_status_says_how_the_server_is(status: int, outcome: Outcome):
    assert outcome_of(status) is outcome


def test_a_request_is_sent_five_times_at_most():
    with pytest.raises(ValueError, match="attempts 6 is not within 1 to 5"):
        Retries(attempts=6)

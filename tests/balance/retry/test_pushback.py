"""What an answer's head says of its server."""

import pytest

from storagebox.balance import Outcome
from storagebox.balance.retry.pushback import retry_after_s, said_by

AFTER = (b"Retry-After", b"7")
LOAD = (b"endpoint-load-metrics", b"TEXT application_utilization=0.5")


def test_a_503_is_no_overload_unless_it_says_for_how_long():
    assert said_by(503, []) == (Outcome.FAILURE, None)
    outcome, report = said_by(503, [AFTER, LOAD])
    assert outcome is Outcome.OVERLOADED
    assert report is not None
    assert (report.retry_after_s, report.utilisation) == (7.0, 0.5)


def test_a_429_is_one_either_way():
    assert said_by(429, []) == (Outcome.OVERLOADED, None)
    report = said_by(429, [AFTER])[1]
    assert report is not None
    assert report.retry_after_s == 7.0


def test_other_answers_keep_their_report_and_need_no_pause():
    outcome, report = said_by(200, [AFTER, LOAD])
    assert outcome is Outcome.SUCCESS
    assert report is not None
    assert report.retry_after_s is None
    assert said_by(500, [])[0] is Outcome.FAILURE


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"120", 120.0),
        (b" 0 ", 0.0),
        (b"9" * 400, 9999999999.0),
        (b"Tue, 01 Dec 2026 12:01:00 GMT", 60.0),
        (b"Tue, 01 Dec 2026 11:00:00 GMT", 0.0),
        (b"-5", None),
        (b"1.5", None),
        (b"soon", None),
        (b"Tue, 99 Dec 2026 11:00:00 GMT", None),
        (b"Tue, 01 Dec %s 11:00:00 GMT" % (b"9" * 20), None),
        (b"Tue, 01 Dec 2026 11:00:00 +%s" % (b"9" * 20), None),
        (b"\xb2", None),
        (b"", None),
    ],
)
def test_seconds_and_dates_are_read_and_nothing_else(value: bytes, seconds: float | None):
    headers = [(b"retry-after", value), (b"date", b"Tue, 01 Dec 2026 12:00:00 GMT")]
    assert retry_after_s(headers) == seconds


def test_a_date_without_the_answers_own_says_nothing():
    assert retry_after_s([(b"retry-after", b"Tue, 01 Dec 2026 12:01:00 GMT")]) is None

"""What an answer's head says of its server: how the request went, its load, and Retry-After."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime

from storagebox.balance.orca import report_in
from storagebox.balance.outcome import LoadReport, Outcome
from storagebox.balance.retry.rules import outcome_of

Headers = Iterable[tuple[bytes, bytes]]


def said_by(status: int, headers: Headers) -> tuple[Outcome, LoadReport | None]:
    """What to tell the balancer once the body has been read.

    A 503 says "not now" only if it says for how long (Retry-After). Without, it is what a gateway
    answers whose server is gone: a failure, which ejects.
    """
    headers = list(headers)
    outcome, report = outcome_of(status), report_in(headers)
    if outcome is not Outcome.OVERLOADED:
        return outcome, report
    spare_s = retry_after_s(headers)
    if spare_s is None:
        return Outcome.FAILURE if status == 503 else outcome, report
    return outcome, replace(report or LoadReport(), retry_after_s=spare_s)


def retry_after_s(headers: Headers) -> float | None:
    """Retry-After, in seconds (RFC 9110, 10.2.3); `None` if there is none that can be read.

    A date is taken relative to the answer's own, so that no clocks have to agree.
    """
    told = {name.lower(): value.decode("latin-1").strip() for name, value in headers}
    after = told.get(b"retry-after", "")
    if after.isascii() and after.isdigit():
        return float(after[:10])
    then, sent = _date(after), _date(told.get(b"date", ""))
    return None if then is None or sent is None else max(0.0, (then - sent).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year or a zone of many digits
        return None
    return date if date.tzinfo is not None else None

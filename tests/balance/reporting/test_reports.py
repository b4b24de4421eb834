"""What a server tells of its load, and what a client reads of it."""

import asyncio
import math
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance import orca
from storagebox.balance.outcome import LoadReport
from storagebox.balance.reporting.account import Account
from storagebox.balance.reporting.asgi import PROBE_PATH, Reporting
from storagebox.balance.reporting.latency_by_load import LatencyByLoad


def test_a_latency_is_told_of_requests_that_found_as_many_as_now():
    known = LatencyByLoad()
    assert known.now_s(0) is None
    for latency_s in (0.01, 0.02, 0.9):
        known.add(1, latency_s)
    known.add(8, 0.5)
    assert known.now_s(1) == 0.02
    assert known.now_s(8) == 0.5
    assert known.now_s(7) == 0.5, "the nearest that is known"
    assert known.now_s(10**9) == 0.5


def test_utilisation_is_processor_time_and_rates_are_of_the_window():
    account = Account(processors=2, window_s=1.0, now=0.0, cpu_s=5.0)
    assert account.report().utilisation is None
    for n in range(4):
        served = account.began(n * 0.25)
        account.ended(served, n * 0.25 + 0.25, 5.0 + (n + 1) * 0.1, failed=n == 0)
    report = account.report()
    assert report.utilisation == pytest.approx(0.2)
    assert (report.requests_per_s, report.errors_per_s, report.in_flight) == (4, 1, 0)


def test_a_failure_is_no_latency():
    account = Account(processors=1, window_s=1.0, now=0.0, cpu_s=0.0)
    account.ended(account.began(0.0), 0.001, 0.0, failed=True)
    assert account.report().latency_s is None


def ask(app: Any, path: str) -> httpx.Response:
    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.get(path)

    return asyncio.run(main())


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def bug(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError


def test_an_answer_bears_a_report_that_no_longer_counts_it_as_in_flight():
    times = iter([0.0, 1.0, 3.0, 4.0])
    app = Reporting(hello, clock=lambda: next(times), cpu_clock=lambda: 0.0)
    response = ask(app, "/")
    assert (response.text, response.headers["a"]) == ("hello", "b")
    report = orca.report_in(response.headers.raw)
    assert report == LoadReport(in_flight=0)
    after = orca.report_in(ask(app, PROBE_PATH).headers.raw)
    assert after == LoadReport(0.0, pytest.approx(1 / 3, rel=1e-5), 0.0, 0, 2.0)  # pyright: ignore


def test_an_answer_tells_of_the_others_that_are_in_flight_and_a_probes_of_all():
    account = Account(1, 1.0, 0.0, 0.0)
    for _ in range(3):
        account.began(0.0)
    assert account.report(answered=1).in_flight == 2
    assert account.report().in_flight == 3


def test_a_request_that_raises_is_in_flight_no_longer():
    app = Reporting(bug)
    ask(app, "/")
    report = orca.report_in(ask(app, PROBE_PATH).headers.raw)
    assert report is not None
    assert (report.in_flight, report.latency_s) == (0, None)


@pytest.mark.parametrize(
    ("header", "report"),
    [
        ("TEXT application_utilization=0.4, rps_fractional=10", LoadReport(0.4, 10)),
        ("TEXT cpu_utilization=0.4,application_utilization=0", LoadReport(0.4)),
        (
            "TEXT named_metrics.rif=3,named_metrics.latency_s=.002",
            LoadReport(None, None, None, 3, 0.002),
        ),
        (
            'JSON {"application_utilization": 0.4, "named_metrics": {"rif": 3}}',
            LoadReport(0.4, None, None, 3),
        ),
        ("TEXT application_utilization=nan, eps=1", LoadReport(None, None, 1)),
        ("TEXT application_utilization=-1", None),
        ("JSON [1]", None),
        ("JSON {", None),
        ("BIN CgA=", None),
        ("", None),
    ],
)
def test_a_header_says_what_it_says_and_nonsense_says_nothing(
    header: str, report: LoadReport | None
):
    assert orca.parse(header) == report


sensible = st.none() | st.floats(0, 1e6)


@given(
    st.builds(
        LoadReport, sensible, sensible, sensible, st.none() | st.integers(0, 10**6), sensible
    )
)
def test_what_is_written_can_be_read(report: LoadReport):
    read = orca.parse(orca.as_text(report))
    for told, got in zip(_figures(report), _figures(read or LoadReport()), strict=True):
        assert (got is None) == (told is None) or (told == 0 and got is None)
        assert told is None or got is None or math.isclose(told, got, rel_tol=1e-5)


def _figures(report: LoadReport) -> list[float | None]:
    return [
        report.utilisation,
        report.requests_per_s,
        report.errors_per_s,
        report.in_flight,
        report.latency_s,
    ]


@given(st.binary(max_size=60))
def test_no_header_breaks_a_client(value: bytes):
    orca.report_in([(b"Endpoint-Load-Metrics", value)])

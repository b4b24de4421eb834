"""One request through all its attempts: whom, after which pause, within which times."""

import asyncio
from random import Random
from typing import Any

import httpx
import pytest

from storagebox.balance import Balancer, Endpoint, Outcome
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.retry.budget import Budget
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.retry.rules import Retries
from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.attempts import Attempts, Settings
from storagebox.balance.transport.bodies import is_small
from storagebox.balance.transport.synchronous import BalancedTransport
from tests.balance.seen import endpoints

AT_ONCE = 0.0


def attempts(
    servers: int, settings: Settings, now: float = 0.0, method: str = "GET", **extensions: Any
) -> Attempts:
    balancer = Balancer(RoundRobin(), random=Random(1))
    balancer.update(endpoints(servers), now)
    return Attempts(balancer, settings, method, extensions, replayable=True, key=None, now=now)


def pauses(servers: int, retries: Retries) -> list[float]:
    """How long each attempt but the first waits, if nobody can be reached."""
    made = attempts(servers, Settings(retries=retries))
    waited: list[float] = []
    while True:
        pick = made.pick(0.0)
        pick.done(Outcome.UNREACHABLE, 0.0)
        if not made.again(pick, Outcome.UNREACHABLE, None, "ConnectError", 0.0):
            return waited
        waited.append(made.pause_s())


def test_another_server_is_tried_at_once_and_the_same_after_a_pause_that_doubles():
    retries = Retries(attempts=5, pause_s=0.1)
    assert pauses(1, retries) == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert pauses(2, retries) == pytest.approx([AT_ONCE, 0.1, 0.1, 0.2])
    assert pauses(3, retries) == pytest.approx([AT_ONCE, AT_ONCE, 0.1, 0.1])
    assert pauses(5, retries) == [AT_ONCE] * 4


def test_nobody_pauses_beyond_the_deadline_nor_pays_for_an_attempt_that_is_not_made():
    budget = Budget(ratio=0.0, min_per_s=1.0)
    settings = Settings(retries=Retries(attempts=5, pause_s=0.1, budget=budget))
    made = attempts(1, settings, deadline_s=0.25)
    for now, again in ((0.0, True), (0.04, True), (0.05, False)):
        pick = made.pick(now)
        pick.done(Outcome.UNREACHABLE, now)
        assert made.again(pick, Outcome.UNREACHABLE, None, "ConnectError", now) is again
    assert budget.balance(0.05) == 8


@pytest.mark.parametrize(
    ("now", "given_s", "clipped_s"),
    [(1.0, None, 2.0), (1.0, 5.0, 2.0), (1.0, 0.5, 0.5), (2.5, 5.0, 0.5), (9.0, 5.0, 0.001)],
)
def test_no_timeout_is_longer_than_what_is_left_to_the_deadline(
    now: float, given_s: float | None, clipped_s: float
):
    made = attempts(1, Settings(deadline_s=3.0))
    given = {"connect": given_s, "read": given_s, "write": given_s}
    assert made.timeouts(given, now) == pytest.approx(
        {"connect": clipped_s, "read": clipped_s, "write": clipped_s, "pool": max(0.001, 3 - now)}
    )


def test_without_a_deadline_timeouts_stay_as_they_are():
    given = {"connect": 1.0, "read": None}
    assert attempts(1, Settings()).timeouts(given, 1e9) == given


def test_a_requests_own_deadline_counts_instead_of_the_transports():
    made = attempts(1, Settings(deadline_s=3.0), now=10.0, deadline_s=1.0)
    assert not made.expired(10.9)
    assert made.expired(11.0)
    assert not attempts(1, Settings(deadline_s=3.0), now=10.0).expired(12.9)


def test_a_budget_that_hedges_and_retries_share_counts_a_request_once():
    shared = Budget(ratio=0.5, min_per_s=0.0)
    for _ in range(4):
        attempts(1, Settings(Retries(budget=shared), Hedging(budget=shared)))
    assert shared.balance(0.0) == 2
    for_retries, for_hedges = Budget(0.5, 0.0), Budget(0.25, 0.0)
    for _ in range(4):
        attempts(1, Settings(Retries(budget=for_retries), Hedging(budget=for_hedges)))
    assert (for_retries.balance(0.0), for_hedges.balance(0.0)) == (2, 1)
    alone = Budget(0.5, 0.0)
    for _ in range(4):
        attempts(1, Settings(None, Hedging(budget=alone)))
    assert alone.balance(0.0) == 2


def test_what_one_of_them_spends_of_a_shared_budget_the_other_lacks():
    shared = Budget(ratio=0.5, min_per_s=0.0)
    hedging = Hedging(budget=shared)
    made = BalancedTransport(
        endpoints(2),
        connect=lambda _: httpx.MockTransport(lambda _: httpx.Response(503)),
        settings=Settings(Retries(budget=shared), hedging),
    )
    made._balanced.clock = lambda: 0.0
    with httpx.Client(transport=made, base_url="http://search") as search:
        answers = [search.get("/").extensions["chosen"].attempts for _ in range(2)]
        assert answers == [1, 2]
        assert not made._balanced.may_hedge_now()


# What the transports make of them

Told = list[dict[str, float | None]]


def _noting(told: Told, clock: list[float]) -> httpx.MockTransport:
    """Answers 503 after a second, and notes which timeouts it was sent with."""

    def answer(request: httpx.Request) -> httpx.Response:
        told.append(request.extensions["timeout"])
        clock[0] += 1.0
        return httpx.Response(503)

    return httpx.MockTransport(answer)


def _first_and_second(read_s: float | None) -> Told:
    def each(left_s: float) -> dict[str, float | None]:
        read = left_s if read_s is None else min(read_s, left_s)
        return {"connect": left_s, "read": read, "write": left_s, "pool": left_s}

    return [each(2.5), each(1.5)]


@pytest.mark.parametrize("read_s", [None, 2.0])
def test_each_attempt_of_a_request_has_what_is_left_to_its_deadline(read_s: float | None):
    timeout = httpx.Timeout(None, read=read_s)
    told, clock = Told(), [0.0]
    settings = Settings(Retries(attempts=2), deadline_s=2.5)
    made = BalancedTransport(
        endpoints(2), connect=lambda _: _noting(told, clock), settings=settings
    )
    made._balanced.clock = lambda: clock[0]
    with httpx.Client(transport=made, base_url="http://search", timeout=timeout) as search:
        assert search.get("/").status_code == 503
    assert told == _first_and_second(read_s)


@pytest.mark.parametrize("read_s", [None, 2.0])
def test_and_on_asyncio(read_s: float | None):
    timeout = httpx.Timeout(None, read=read_s)
    told, clock = Told(), [0.0]

    def connect(endpoint: Endpoint) -> httpx.AsyncBaseTransport:
        return _noting(told, clock)

    async def main() -> None:
        made = AsyncBalancedTransport(
            endpoints(2), connect=connect, settings=Settings(Retries(attempts=2), deadline_s=2.5)
        )
        made._balanced.clock = lambda: clock[0]
        base_url = "http://search"
        async with httpx.AsyncClient(transport=made, base_url=base_url, timeout=timeout) as search:
            assert (await search.get("/")).status_code == 503

    asyncio.run(main())
    assert told == _first_and_second(read_s)


def test_an_answer_outpaces_what_was_sent_before_it_and_nothing_else():
    made = attempts(3, Settings())
    first, second, third = (made.pick(now) for now in (0.0, 1.0, 2.0))
    second.answered(3.0)
    made.outpacing(second, 3.0)
    assert [pick.overtaken for pick in (first, second, third)] == [True, False, False]


@pytest.mark.parametrize(
    ("headers", "small"),
    [
        ([(b"Content-Length", b"0")], True),
        ([(b"content-length", b"65536")], True),
        ([(b"content-length", b"65537")], False),
        ([(b"content-length", b"99999999999999")], False),
        ([(b"content-length", b"-1")], False),
        ([(b"content-type", b"text/plain")], False),
    ],
)
def test_only_what_says_that_it_is_short_is_read_ahead(
    headers: list[tuple[bytes, bytes]], small: bool
):
    assert is_small(headers) is small
